"""Runs both servers on one data folder, for the command line and the tests."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded.backup import UNFINISHED
from embedded.errors import EmbeddedError
from embedded.locks import held, is_held
from embedded.places import SOCKETS_BELOW, private_folder
from embedded.postgres import DATABASE, start_postgres
from embedded.trust import require_ours
from embedded.valkey import start_redis

URLS = "urls.json"


@dataclass(frozen=True)
class Urls:
    """Addresses of the servers, for psycopg.connect and redis.Redis.from_url. "": not running."""

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
    """Run the servers on `folder` for as long as this context or process lives.

    `folder` is made if missing. The data is there again at the next start. `postgres` and `redis`
    say which servers to run. The other parameters are those of `start_postgres` and `start_redis`.
    Raises FolderInUse if another process runs servers there, NoServerBinary, ServerDidNotStart, and
    EmbeddedError for folders.
    """
    folder = private_folder(folder)
    if folder.name.endswith(UNFINISHED):
        raise EmbeddedError(f"{folder} is an unfinished restore: remove it, and restore anew.")
    with held(folder), ExitStack() as servers:
        announcement = folder / URLS
        announcement.unlink(missing_ok=True)  # left over from a killed predecessor
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
    """Return the URLs of the servers that `embedded_servers` runs on `folder`, or None.

    Raises PermissionError, or EmbeddedError if other users can write to the folder.
    """
    if not is_held(folder):
        return None  # a killed process may have left the file
    require_ours(folder)  # otherwise another user could choose the servers that we use
    try:
        announcement = (folder / URLS).read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None  # the servers are starting or stopping
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
    """Run servers that are fast and not durable, in a folder of their own.

    The folder is removed however we end. Parameters and errors are those of `embedded_servers`.
    """
    # The folder is in /tmp itself, so that the account that root runs PostgreSQL as can reach it.
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
    """Write `urls` for `running` atomically, readable only by us."""
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
