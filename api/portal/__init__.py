"""The portal: everything that is served by HTTP and is not the wallet."""
