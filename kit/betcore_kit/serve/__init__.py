"""A provider to play at: it is asked for games and launches, and serves a slot that really bets."""
