"""An installation as a whole: how it starts, restarts and stops, and what it logs."""
