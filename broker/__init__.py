"""What gateway and worker share through Redis: key names, scripts, the job codec; no rules."""
