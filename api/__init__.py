"""HTTP in, HTTP out; the only user of Starlette; no SQL, no money rules."""
