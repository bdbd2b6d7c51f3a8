"""What people look up: for the command line, consoles and APIs alike. Nothing is changed here."""
