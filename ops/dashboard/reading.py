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
    """A page that only shows something was about to change Redis; its text is the command."""


class ReadOnlyRedis(Redis):
    """A client that cannot change Redis, so that looking at the dashboard changes nothing.

    It matters for StartedJobRegistry.cleanup: it would fail or requeue, job by job and past the
    players' lanes, what our worker returns as a whole when a lease is lost. rq-dashboard asks for
    no cleanup in any registry (`cleanup=False` throughout, and RQ's requeue has none), but RQ's
    default is to do it, so a call that forgets it raises WouldWriteError here.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if _is_left_out(args[0]):
            return 0
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline that cannot change Redis either."""
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
    """The client of one Redis server; it connects when first used.

    Raises BadRedisUrl.
    """
    # No retries: redis-py's ten would keep the thread of a page busy for seconds while Redis is
    # away; the pages ask again by themselves.
    pool = redis_pool(
        redis_url,
        socket_connect_timeout=REDIS_WAIT_SECONDS,
        socket_timeout=REDIS_WAIT_SECONDS,
        retry=no_retry(),
        parser_class=BoundedParser,
    )
    return ReadOnlyRedis(connection_pool=pool)


def _is_left_out(command: str) -> bool:
    # Worker.all takes workers without a hash, and executions without one, out of their sets. A
    # worker that registers itself anew between its EXISTS and its SREM would be lost from sight.
    if command == "SREM":
        return True
    if command not in READING:
        raise WouldWriteError(command)
    return False
