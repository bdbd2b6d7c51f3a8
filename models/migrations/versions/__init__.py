"""One file a migration, in the order of their names; none is changed once it was released."""
