"""The sandbox, as a provider uses it: its API, its wallet, and its mark."""
