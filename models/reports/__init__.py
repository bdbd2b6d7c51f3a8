"""Reports for the command line, consoles and APIs alike. They change nothing."""
