"""The notices at the top of every page: the queue is suspended, or something is wrong."""

from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from broker.conditions import UnfitRedis, judge
from broker.keys import RQ
from broker.registered import MARK, SUSPENDED, Attendance, registered
from ops.dashboard.cures import WORKERS_MAX, is_short

_FIELDS = ("hostname", "pid", "version", "state", "birth", "last_heartbeat", MARK)
_PREFIX = f"{RQ}:worker:"


def notices(redis: Redis, queue: str) -> list[str]:
    """Return one line for each thing that an operator should know. Raises RedisError."""
    lines = [SUSPENDED] if redis.exists(f"{RQ}:suspended") else []
    try:
        lines += judge(redis.info()).warnings
    except UnfitRedis as error:
        lines.append(str(error))
    warning = Attendance(False, tuple(_workers(redis, queue))).warning(queue)
    return [*lines, *([warning] if warning else [])]


def _workers(redis: Redis, queue: str) -> list[Any]:
    """Return the workers registered on the queue. No script is used: this user may run none."""
    keys = cast("set[bytes]", redis.smembers(f"{RQ}:workers:{queue}"))
    found = []
    for key in sorted(keys)[:WORKERS_MAX]:
        name = key.decode(errors="replace")
        if not name.startswith(_PREFIX) or not is_short(redis, name):
            continue
        try:
            values = cast("list[bytes | None]", redis.hmget(name, _FIELDS))
        except ResponseError:  # a key of another type
            continue
        if values[4]:  # otherwise its hash has expired, or was only partly rewritten
            found.append(registered([name.removeprefix(_PREFIX), *values]))
    return found
