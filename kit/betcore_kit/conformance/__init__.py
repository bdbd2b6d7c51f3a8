"""Every promise of the protocol, checked against a deployment as a provider sees it."""
