"""`betcore housekeeping`: what has to be done regularly, by a timer."""


def housekeeping() -> None:
    """Do what is to be done regularly."""
