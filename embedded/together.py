"""Both servers on one data folder, for the command line and the tests."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded.locks import held, is_held
from embedded.places import SOCKETS_BELOW, private_folder
from embedded.postgres import DATABASE, start_postgres
from embedded.trust import require_ours
from embedded.valkey import start_redis

URLS = "urls.json"


@dataclass(frozen=True)
class Urls:
    """Where the servers are: for psycopg.connect, and for redis.Redis.from_url; "" is none."""

    database: str
    redis: str


@contextmanager
def embedded_servers(
    folder: Path,
    *,
    durable: bool = True,
    postgres: bool = True,
    redis: bool = True,
    postgres_settings: Mapping[str, str] | None = None,
    redis_settings: Mapping[str, str] | None = None,
    database: str | None = DATABASE,
) -> Iterator[Urls]:
    """Run the servers on `folder`, made when missing, for as long as this context or process lives.

    What they hold is there again at the next start. `postgres`, `redis`: which to run. The other
    parameters are those of `start_postgres` and `start_redis`. Raises FolderInUse when another
    process runs them, NoServerBinary, ServerDidNotStart and, for folders, EmbeddedError.
    """
    folder = private_folder(folder)
    with held(folder), ExitStack() as servers:
        announcement = folder / URLS
        announcement.unlink(missing_ok=True)  # of a predecessor that was killed
        database_url = redis_url = ""
        if redis:
            redis_url = servers.enter_context(
                start_redis(folder, durable=durable, settings=redis_settings)
            ).url
        if postgres:
            database_url = servers.enter_context(
                start_postgres(
                    folder, durable=durable, settings=postgres_settings, database=database
                )
            ).url
        urls = Urls(database_url, redis_url)
        _announce(urls, announcement)
        servers.callback(announcement.unlink, missing_ok=True)
        yield urls


def running(folder: Path) -> Urls | None:
    """The URLs of servers that a process runs on `folder` with `embedded_servers`; None: none.

    Raises PermissionError, or EmbeddedError, on a folder that others can write in.
    """
    if not is_held(folder):
        return None  # whatever a process that was killed has left there
    require_ours(folder)  # or somebody else could say which servers to use
    try:
        announcement = (folder / URLS).read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None  # starting or stopping
    return Urls(**json.loads(announcement))


@contextmanager
def temporary_servers(
    *,
    postgres: bool = True,
    redis: bool = True,
    postgres_settings: Mapping[str, str] | None = None,
    redis_settings: Mapping[str, str] | None = None,
    database: str | None = DATABASE,
) -> Iterator[Urls]:
    """Run servers that are quick and forget: in a folder of their own, removed however we end.

    Parameters and errors are those of `embedded_servers`.
    """
    # In /tmp itself: PostgreSQL as the account of root must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="betcore-", dir=SOCKETS_BELOW))
    with ExitStack() as servers:
        servers.callback(shutil.rmtree, folder, ignore_errors=True)
        database_url = redis_url = ""
        if redis:
            redis_url = servers.enter_context(
                start_redis(folder, durable=False, settings=redis_settings, throw_away=True)
            ).url
        if postgres:
            database_url = servers.enter_context(
                start_postgres(
                    folder,
                    durable=False,
                    settings=postgres_settings,
                    database=database,
                    throw_away=True,
                )
            ).url
        yield Urls(database_url, redis_url)


def _announce(urls: Urls, path: Path) -> None:
    """Write `urls` for `running`, whole or not at all, for our eyes only."""
    part = path.with_name(f"{path.name}.tmp")
    part.unlink(missing_ok=True)
    with open(
        os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600),
        "w",
        encoding="utf-8",
        errors="surrogateescape",
    ) as file:
        json.dump(asdict(urls), file)
    part.replace(path)
