"""Starts Valkey, which speaks as Redis does, on a data folder."""

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
    # Trimming a stream frees whole nodes only; small ones keep a reply stream near its limit.
    "stream-node-max-bytes": "128",
    # A job in one piece takes half the memory of one in parts.
    "hash-max-listpack-value": "1024",
    # A thousand bets a second write a megabyte and a half to the log, nearly all of it soon of no
    # use. Writing it anew stops everything for half a second when there is much to do: at 128 MB it
    # came every ten seconds under full load. Loading so much after a crash takes longer, by
    # estimate some four seconds.
    "auto-aof-rewrite-min-size": "512mb",
    "rdbcompression": "no",  # of what is rewritten; it costs more time than it saves
}
NOT_DURABLE = {"appendonly": "no"}


def start_redis(
    folder: Path,
    *,
    durable: bool = True,
    settings: Mapping[str, str] | None = None,
    throw_away: bool = False,
) -> Server:
    """Start Valkey with its files in `folder`/redis; its URL is the same at every start.

    `settings` win over ours. `durable=False`: nothing is written, what it holds ends with it.
    `throw_away`: the files are removed when the server ends, and `folder` if it is empty then.
    Raises FolderInUse, NoServerBinary, ServerDidNotStart and, for folders, EmbeddedError.
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
            stop_signal=signal.SIGTERM,  # writes what is left of its log
            kill_signal=signal.SIGKILL,
            throw_away=(home,) if throw_away else (),
            trouble=lambda: _trouble(url),
        )
        return launch(recipe, lock)


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _trouble(url: str) -> str:
    """Why it does not answer, as while it reads back its log; empty when it does."""
    try:
        with Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
    except RedisError as error:
        return str(error)
    return ""
