"""A room of the portal, only in a sandbox: providers help themselves (docs/SANDBOX.md)."""
