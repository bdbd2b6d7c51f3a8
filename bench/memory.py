"""How much memory Redis takes after many bets, with results kept for as long as shipped."""

import logging

from bench.results import Point
from bench.rounds import Rounds, signed_for

_log = logging.getLogger("bench")

BETS = 200_000
_SECONDS = 10  # of one load; its requests must be sent while their timestamps are good


def measure_redis_memory(rounds: Rounds, bets: int = BETS) -> float:
    """Megabytes that Redis uses after so many bets without a pause, at the most of any moment.

    Raises AuditFailed or LoadFailed.
    """
    point, done, per_second = Point("ours", 64), 0, 0.0
    with rounds.started("ours") as running:
        most = 0.0
        while done < bets:
            load, cost = rounds.load(point, running, signed_for(per_second), _SECONDS)
            done, per_second = done + load.good, load.per_second
            most = max(most, cost.redis_memory_mb)
            _log.info("Redis takes %.1f MB after %s bets", cost.redis_memory_mb, f"{done:,}")
    return most
