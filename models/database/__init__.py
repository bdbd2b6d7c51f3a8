"""How PostgreSQL is reached: connections, transactions, roles, prepared statements."""
