"""HTTP in, HTTP out: one folder per kind of caller. It has no SQL and no money rules."""
