"""The migrations, run by models/migrate.py through Alembic."""
