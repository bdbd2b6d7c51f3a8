"""The RQ dashboard as a process: what it shows, and what it refuses."""
