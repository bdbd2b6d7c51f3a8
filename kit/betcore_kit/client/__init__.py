"""The client: a core of pure functions, and two thin shells that do what the core says."""
