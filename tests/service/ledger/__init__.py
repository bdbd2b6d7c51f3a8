"""Batches of commands applied to PostgreSQL: what they do, what they cost, how they race."""
