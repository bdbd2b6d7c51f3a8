"""What a gateway does only in a sandbox: one layer around the wallet (docs/adr/0033)."""
