"""Migrations for tests: in a process of their own, or as an older version left them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config

import models.migrations
from models.database.engine import engine
from models.database.preconditions import Use
from tests.source import ROOT


@contextmanager
def migrating(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that migrates and prints the revision."""
    program = "import os; from models.migrate import migrate; print(migrate(os.environ['URL']))"
    command, env = [sys.executable, "-c", program], os.environ | {"URL": url}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def older(url: str, revision: str) -> None:
    """Migrate as versions without roles did, as the login itself; up to a revision."""
    config = Config()
    config.set_main_option("script_location", models.migrations.__path__[0])
    with engine(url, Use.MIGRATE).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
