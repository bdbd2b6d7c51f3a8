"""One connection to Redis that one thread keeps: for the commands that every batch needs.

redis-py's client takes a connection out of a pool for each command, looks whether it is still good,
and wraps the command in retries. That is half of what a command costs a worker. redis-py still
connects, logs in, packs and parses here.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from redis import Redis


class Script:
    """A Lua script and Redis's name of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 # Redis's name of a script


class DedicatedConnection:
    """A connection like those of a client. It is made at the first command, and anew after a loss.

    Every method raises redis.exceptions.RedisError when Redis cannot be reached or refuses.
    """

    def __init__(self, client: "Redis") -> None:
        self._pool = client.connection_pool
        self._connection: Any = None

    def call(self, *command: str | bytes | float) -> Any:
        """Send a command and return its answer. An answer that never comes costs the connection."""
        if self._connection is None:
            self._connection = self._pool.connection_class(**self._pool.connection_kwargs)
        self._connection.send_command(*command, check_health=False)
        return self._connection.read_response()

    def run(self, script: Script, *arguments: str | bytes | float) -> Any:
        """Run a script, and load it first if this Redis does not have it."""
        try:
            return self.call("EVALSHA", script.sha, 0, *arguments)
        except NoScriptError:
            return self.call("EVAL", script.text, 0, *arguments)
