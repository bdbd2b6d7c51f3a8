"""What a hand in Redis may do to a job: delete or cancel it, or make half of it too late."""

import time
from typing import Final, cast

from redis import Redis

from tests.service.support.processes import until

#: Each does it to one job, unless it has ended by then, and tells if so.
_DELETE: Final = "return redis.call('DEL', KEYS[1])"
_CANCEL: Final = """
if redis.call('HGET', KEYS[1], 'status') ~= 'queued' then return 0 end
redis.call('LREM', 'rq:queue:bets', 0, ARGV[1])
return 1 + redis.call('HSET', KEYS[1], 'status', 'canceled')
"""
_END_HALF: Final = """
local times = redis.call('HGET', KEYS[1], 'times')
if redis.call('HGET', KEYS[1], 'status') ~= 'queued' or not times then return 0 end
local late = string.gsub(times, '%S+', '1+1', math.ceil(#times / 40))
return 1 + redis.call('HSET', KEYS[1], 'times', late)
"""
DEEDS: Final = {
    "delete a job": _DELETE,
    "cancel a job": _CANCEL,
    "end half of a job": _END_HALF,
}


def lay_hands_on(redis_url: str, deed: str) -> float:
    """Do it to the next job that holds players, at best one for whom others wait; when it was.

    Raises AssertionError if there is no such job for long.
    """
    with Redis.from_url(redis_url) as redis:
        until(lambda: _did(redis, DEEDS[deed]), lambda: f"there was no job to {deed}")
    return time.time()


def _did(redis: Redis, deed: str) -> bool:
    held = cast("dict[bytes, bytes]", redis.hgetall("betcore:in_flight"))
    holders = {holder.decode() for account, holder in held.items() if b":" not in account}
    for holder in sorted(holders, key=lambda holder: not holder.endswith("+")):
        job = holder.rstrip("+")
        if redis.eval(deed, 1, f"rq:job:{job}", job):
            return True
    return False
