"""HTTP to providers: their games, and the launch of one. The only user of the HTTP client.

No transaction is open while we wait for a provider (docs/adr/0032).
"""
