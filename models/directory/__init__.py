"""Who takes part: providers, players with their accounts, sessions, currencies."""
