"""What several folders share: installations, processes, clients, ledgers to break, waiting."""
