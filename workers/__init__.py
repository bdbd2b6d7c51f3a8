"""From queue to committed transaction; the only user of RQ's worker classes."""
