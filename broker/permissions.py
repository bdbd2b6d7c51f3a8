"""The commands of Redis that each kind of process needs, and a test that it may run them.

`probe.lua` tests them. So a process reports a missing right when it starts, and not at a bet.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from redis.exceptions import ResponseError

from broker.conditions import Conditions, is_forbidden, judge, refused
from broker.registered import printable
from broker.scripts import common_arguments, source

if TYPE_CHECKING:
    from redis import Redis

#: The commands of a gateway's scripts, and XREAD, which it runs itself.
GATEWAY: Final = (
    *("EXISTS", "EXPIRE", "GET", "HDEL", "HGET", "HGETALL", "HMGET", "HSET", "LINDEX", "LLEN"),
    *("LSET", "PUBLISH", "RPOP", "RPUSH", "SADD", "SRANDMEMBER", "XREAD", "ZADD", "ZRANGE"),
)
#: The commands of a worker's scripts. RQ's code runs some more. `Batches.prepare` tests SUBSCRIBE.
WORKER: Final = (
    *("EXISTS", "EXPIRE", "GET", "HDEL", "HGET", "HGETALL", "HINCRBY", "HINCRBYFLOAT"),
    *("HLEN", "HMGET", "HSCAN", "HSET", "LINDEX", "LLEN", "LMPOP", "LPUSH", "LRANGE", "LREM"),
    *("LSET", "LTRIM", "RPUSH", "SADD", "SMEMBERS", "SRANDMEMBER", "SREM", "XADD", "ZADD"),
    *("ZRANGE", "ZRANGEBYSCORE", "ZREM", "ZREMRANGEBYSCORE", "ZSCORE"),
    "DEL",  # last: it removes the key that the others need
)


def require_permissions(answer: Sequence[bytes]) -> None:
    """Judge the answer of `probe.lua`. Raises UnfitRedis, which names the command and the key."""
    if answer:
        command, key, why = map(printable, answer)
        raise refused(Exception(f"{command} on {key.rpartition(':probe:')[0]}:*: {why}"))


def require_fit(connection: "Redis", queue: str, commands: Sequence[str] = ()) -> Conditions:
    """What INFO says about a Redis that can be used, by a user who may run these commands.

    Raises UnfitRedis, or RedisError when Redis cannot be asked.
    """
    try:
        conditions = judge(connection.info())
        if commands:
            common = common_arguments(queue)
            answer = connection.register_script(source("probe"))(args=[*common, *commands])
            require_permissions(cast("list[bytes]", answer))
    except ResponseError as error:
        if not is_forbidden(error):
            raise
        raise refused(error) from error
    return conditions
