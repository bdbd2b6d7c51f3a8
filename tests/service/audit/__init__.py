"""How tampering with the ledger is detected: journal, audit log, verification."""
