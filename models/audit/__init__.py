"""Whether the books can be trusted: journal, audit log, seals, verification, reconciliation."""
