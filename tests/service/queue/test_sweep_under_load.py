"""Tens of thousands of commands are in flight: a sweep looks at a part, the next one goes on."""

from typing import Any

from tests.service.support.queue_world import BET_FIELD, HOUR_MS, QueueWorld, ids, take

PLAYERS = 10_000
PART_MAX = 3_000  # fields of one sweep, about


def test_sweeps_free_all_players_part_by_part(queue_world: QueueWorld) -> None:
    redis, worker = queue_world.redis, queue_world.worker()
    hold(queue_world, {str(10 + player): f"group-{player // 30:032x}" for player in range(PLAYERS)})
    left = PLAYERS

    while left:
        assert worker.sweep() > 0
        before, left = left, redis.hlen("betcore:in_flight")
        assert before - PART_MAX < left < before

    assert worker.sweep() == 0
    assert queue_world.under_way() == set()


def test_sweeps_put_doubts_aside_part_by_part(queue_world: QueueWorld) -> None:
    redis, worker = queue_world.redis, queue_world.worker()
    ended = queue_world.now_ms() - HOUR_MS
    hold(queue_world, {f"1:{bet}": f"{ended}+4000:7-{bet:032x}" for bet in range(PLAYERS)})
    left = PLAYERS

    while left:
        worker.sweep()
        before, left = left, redis.hlen("betcore:in_flight")
        assert before - PART_MAX < left < before

    assert len(redis.keys("betcore:doubt:*")) == PLAYERS


def test_a_sweep_puts_the_doubts_about_one_bet_aside_in_one_write(queue_world: QueueWorld) -> None:
    redis, worker = queue_world.redis, queue_world.worker()
    ended = queue_world.now_ms() - HOUR_MS
    notes = [f"{ended}+4000:7-{command:032x}" for command in range(PLAYERS)]
    hold(queue_world, {BET_FIELD: " ".join(notes)})
    redis.config_resetstat()

    worker.sweep()

    assert len(queue_world.doubts()) == PLAYERS
    assert redis.info("commandstats")["cmdstat_set"]["calls"] == 1


def test_a_group_that_stands_still_among_thousands_is_found(queue_world: QueueWorld) -> None:
    redis, worker = queue_world.redis, queue_world.worker()
    commands = queue_world.admit_together(7, 8)
    redis.delete("rq:queue:bets")
    deadline = f"{queue_world.now_ms()}+60000"
    hold(queue_world, {f"1:{bet}": f"{deadline}:9-{bet:032x}" for bet in range(PLAYERS)})

    helped = sum(worker.sweep() for _ in range(2 * PLAYERS // 1000))

    assert helped == 1
    assert ids(take(worker)) == commands
    assert redis.hlen("betcore:in_flight") == PLAYERS + 2


def hold(world: QueueWorld, fields: dict[Any, Any]) -> None:
    """Write fields of `betcore:in_flight`."""
    redis: Any = world.redis
    redis.hset("betcore:in_flight", mapping=fields)
