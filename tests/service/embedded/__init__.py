"""PostgreSQL and Valkey from wheels: their data, their passwords, their end."""
