"""HTTP in, HTTP out: a folder per kind of caller. No SQL and no money rules are here."""
