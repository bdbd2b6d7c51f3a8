"""Databases for tests that need one of their own, on a server that others share."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from models.database.engine import engine
from tests.service.support.world import World


@contextmanager
def fresh_database(world: World, made_with: str = "") -> Iterator[str]:
    """The URL of a new database on the world's server; dropped at the end.

    It is empty, unless the options it is `made_with` say otherwise.
    """
    name = f"fresh_{uuid.uuid4().hex}"
    world.execute(f"create database {name} {made_with}")
    url = world.urls.database.replace("/betcore?", f"/{name}?", 1)
    try:
        yield url
    finally:
        engine(url).dispose()
        world.execute(f"drop database {name} with (force)")


def name_of(url: str) -> str:
    """The name of the database of a URL."""
    return url.partition("?")[0].rpartition("/")[2]
