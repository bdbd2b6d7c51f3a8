"""What a process counts and measures, and how Prometheus reads it. It knows nothing of bets."""
