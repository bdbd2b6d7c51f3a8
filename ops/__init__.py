"""The operator's tools: command line, dashboard, embedded servers, reconciliation."""
