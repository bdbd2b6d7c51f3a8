"""What the rooms share: installations, processes, clients, ledgers to break, and waiting."""
