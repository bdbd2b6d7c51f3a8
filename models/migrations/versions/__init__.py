"""One file per migration, in the order of their names. A released migration never changes."""
