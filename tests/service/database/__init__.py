"""PostgreSQL itself: schema, constraints, query plans, roles, conditions of a server."""
