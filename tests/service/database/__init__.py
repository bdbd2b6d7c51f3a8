"""PostgreSQL itself: schema, constraints, query plans, roles, and what a server must be like."""
