"""A room of the portal: the reference of the wallet's API, for game providers."""
