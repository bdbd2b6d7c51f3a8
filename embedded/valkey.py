"""Starts Valkey, which speaks the Redis protocol, on a data folder."""

import signal
from collections.abc import Mapping
from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from embedded.binaries import find_redis
from embedded.locks import held
from embedded.places import private_folder, socket_folder
from embedded.server import Recipe, Server, launch

SETTINGS = {
    "port": "0",  # nothing listens on the network
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    # Trimming a stream frees whole nodes only. Small nodes keep a reply stream near its limit.
    "stream-node-max-bytes": "128",
    # A job stored in one piece takes half the memory of a job stored in parts.
    "hash-max-listpack-value": "1024",
    # A thousand bets per second write 1.5 MB per second to the log. Nearly all of it is soon of no
    # use. A rewrite of the log stops everything for half a second when the load is high. At 128 MB
    # a rewrite came every ten seconds under full load. A log of 512 MB takes longer to load after a
    # crash: about four seconds, by estimate.
    "auto-aof-rewrite-min-size": "512mb",
    "rdbcompression": "no",  # for the rewritten log: compression costs more time than it saves
}
NOT_DURABLE = {"appendonly": "no"}


def start_redis(
    folder: Path,
    *,
    durable: bool = True,
    settings: Mapping[str, str] | None = None,
    throw_away: bool = False,
) -> Server:
    """Start Valkey with its files in `folder`/redis. Its URL is the same at every start.

    `settings` override ours. `durable=False`: nothing is written, and the data ends with the
    server. `throw_away` removes the files when the server ends, and then `folder` if it is empty.
    Raises FolderInUse, NoServerBinary, ServerDidNotStart, and EmbeddedError for folders.
    """
    program = find_redis()
    home = private_folder(folder / "redis")
    with held(home) as lock:
        sockets = socket_folder(home, None)
        url = f"unix://{sockets}/redis?db=0"
        chosen = SETTINGS | ({} if durable else NOT_DURABLE) | dict(settings or {})
        chosen |= {"dir": str(home), "unixsocket": f"{sockets}/redis"}
        recipe = Recipe(
            name="Valkey",
            command=[str(program), *_options(chosen)],
            home=home,
            account=None,
            sockets=sockets,
            url=url,
            stop_signal=signal.SIGTERM,  # writes the rest of its log
            kill_signal=signal.SIGKILL,
            throw_away=(home,) if throw_away else (),
            trouble=lambda: _trouble(url),
        )
        return launch(recipe, lock)


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _trouble(url: str) -> str:
    """Return why the server does not answer, for example while it reads its log. "": it answers."""
    try:
        with Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
    except RedisError as error:
        return str(error)
    return ""
