"""How betcore reaches PostgreSQL: connections, transactions, roles, prepared statements."""
