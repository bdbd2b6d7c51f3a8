"""A database as an older version left it."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import models
from models.db import engine
from models.preconditions import Use


def migrate_to(url: str, revision: str) -> None:
    """Bring an empty database to an old revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(models.__file__).parent / "migrations"))
    with engine(url, Use.MIGRATE).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
