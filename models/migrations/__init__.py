"""The migrations. `models/migrate.py` runs them through Alembic."""
