"""The dashboard's Redis client: one for all threads, and unable to change anything."""

from typing import Any, Final

from redis import Redis
from redis.client import Pipeline

from broker.bounded import BoundedParser
from broker.redis_url import no_retry, redis_pool

REDIS_WAIT_SECONDS = 2  # for a connection, and for one answer

READING: Final = frozenset(
    (
        *("EXISTS", "HGET", "HGETALL", "HMGET", "INFO", "LLEN", "LRANGE", "MEMORY USAGE"),
        *("SMEMBERS", "XREVRANGE", "ZCARD", "ZRANGE"),
    )
)


class WouldWriteError(Exception):
    """A page that only shows something was about to change Redis. The text is the command."""


class ReadOnlyRedis(Redis):
    """A client that cannot change Redis: looking at the dashboard changes nothing.

    This matters for StartedJobRegistry.cleanup, which fails or requeues jobs one by one, although
    they hold their players. Our worker returns a whole batch when a lease is lost. rq-dashboard
    asks for no cleanup of any registry (`cleanup=False` throughout, and RQ's requeue has none). But
    RQ cleans up by default, so a call that forgets the argument raises WouldWriteError here.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if _is_left_out(args[0]):
            return 0
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return a pipeline that cannot change Redis either."""
        return ReadOnlyPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


class ReadOnlyPipeline(Pipeline):
    """The pipelines of ReadOnlyRedis."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if _is_left_out(args[0]):
            return self
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def connect(redis_url: str) -> ReadOnlyRedis:
    """Return the client of one Redis server. It connects at first use.

    Raises BadRedisUrl.
    """
    # No retries: redis-py's ten would block a page's thread for seconds while Redis is down. The
    # pages ask again by themselves.
    pool = redis_pool(
        redis_url,
        socket_connect_timeout=REDIS_WAIT_SECONDS,
        socket_timeout=REDIS_WAIT_SECONDS,
        retry=no_retry(),
        parser_class=BoundedParser,
    )
    return ReadOnlyRedis(connection_pool=pool)


def _is_left_out(command: str) -> bool:
    # Worker.all removes workers and executions without a hash from their sets. A worker that
    # registers again between its EXISTS and its SREM would then no longer be seen.
    if command == "SREM":
        return True
    if command not in READING:
        raise WouldWriteError(command)
    return False
