"""Compares the setting with the database: is this a sandbox or not? (docs/adr/0033)."""

import logging

from models.directory.sandbox import IsASandbox, is_sandbox, mark_sandbox
from models.errors import BetcoreError
from ops.author import author_of
from settings import Settings

_LOG = logging.getLogger("betcore.sandbox")


def settle_sandbox(settings: Settings) -> None:
    """Make an empty database a sandbox if this is to be one.

    Raises NotASandbox if the database has providers already. Raises IsASandbox if the database is a
    sandbox and the setting says that this is none.
    """
    url = settings.database_url
    if settings.sandbox:
        mark_sandbox(url, author_of(settings, "the first start as a sandbox"))
    elif is_sandbox(url):
        raise IsASandbox


def judge_sandbox(settings: Settings) -> None:
    """As `settle_sandbox`, for a process that also starts while PostgreSQL is away.

    Only a sandbox needs PostgreSQL at the start. Another process logs a warning if its database is
    a sandbox. Raises NotASandbox.
    """
    try:
        settle_sandbox(settings)
    except BetcoreError as error:
        if settings.sandbox:
            raise
        if isinstance(error, IsASandbox):
            _LOG.warning("%s", error)
