"""PostgreSQL and Valkey from wheels: their data, their passwords, and their end."""
