"""From queue to committed transaction. Only this package uses RQ's worker classes."""
