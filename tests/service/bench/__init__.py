"""The benchmark and its rivals: they measure what they say, and keep the same rules."""
