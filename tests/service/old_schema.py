"""A database as an older version left it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import models


def migrate_to(url: str, revision: str) -> None:
    """Bring an empty database to an old revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(models.__file__).parent / "migrations"))
    address = url.replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(address, poolclass=NullPool).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
