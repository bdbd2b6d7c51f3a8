"""The crash campaign: everything is killed at every step, and an oracle looks for what it broke."""
