"""What an operator runs: command line, dashboard, embedded servers, reconciliation."""
