"""Alembic's entry: runs migrations on the connection that `models.migrate` passes."""

from alembic import context
from sqlmodel import SQLModel

from models.tables import triggers  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
