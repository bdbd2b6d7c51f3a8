"""`betcore up`: everything on one machine."""
