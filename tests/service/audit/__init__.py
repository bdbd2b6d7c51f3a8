"""How a change of the ledger that nobody ordered is found: journal, audit log, verification."""
