"""The operator API: sessions, players, money, providers and reports (docs/OPERATOR-API.md)."""
