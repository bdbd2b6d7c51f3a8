"""Notes of bets: which commands about a bet may still be applied, for those who ask."""

import time

import pytest

from broker.ended import FinishedCommand
from broker.rq_queue import RqQueue
from tests.service.support.queue_world import (
    BET_FIELD,
    QueueWorld,
    Request,
    ended,
    finish,
    ids,
    take,
    wait_until_leases_end,
)


def test_each_command_about_a_bet_is_noted_with_its_own_deadline(queue_world: QueueWorld) -> None:
    before = queue_world.now_ms()
    one = Request(7, bet_field=BET_FIELD, budget_ms=4000)
    two = Request(8, bet_field=BET_FIELD, budget_ms=9000)
    other = Request(9, bet_field="1:another bet")
    assert queue_world.admit(one, other) + queue_world.admit(two) == "AAA"

    notes = queue_world.notes()

    assert notes.keys() == {one.command_id, two.command_id}
    now = queue_world.now_ms()
    assert before + 4000 <= notes[one.command_id] <= now + 4000
    assert before + 9000 <= notes[two.command_id] <= now + 9000
    assert queue_world.notes("1:another bet").keys() == {other.command_id}


@pytest.mark.parametrize("together", [False, True])
def test_each_end_removes_its_own_note_only(queue_world: QueueWorld, together: bool) -> None:
    """Two accounts, one bet: one of them will be refused."""
    requests = [Request(account, bet_field=BET_FIELD) for account in (7, 8, 9)]
    if together:
        assert queue_world.admit(*requests) == "AAA"
    else:
        assert [queue_world.admit(request) for request in requests] == ["A"] * 3
    worker = queue_world.worker(batch_jobs_max=1)
    left = [request.command_id for request in requests]

    while left:
        assert list(queue_world.notes()) == left
        batch = take(worker)
        assert finish(worker, batch)
        left = left[len(batch.commands) :]

    assert queue_world.under_way() == set()


def test_a_command_that_waits_for_its_player_is_noted_too(queue_world: QueueWorld) -> None:
    first, waiting = queue_world.admit_one_by_one(7, 2, bet_field=BET_FIELD)
    worker = queue_world.worker()

    assert list(queue_world.notes()) == [first, waiting]
    assert finish(worker, take(worker))
    assert list(queue_world.notes()) == [waiting]
    assert finish(worker, take(worker))
    assert queue_world.notes() == {}


def test_a_command_whose_end_is_not_known_is_in_doubt_and_the_others_are_not(
    queue_world: QueueWorld,
) -> None:
    _, bad = queue_world.admit_together(7, 8, bet_field=BET_FIELD)
    worker = queue_world.worker()

    assert finish(worker, take(worker), failing=[bad])

    assert (queue_world.notes(), list(queue_world.doubts())) == ({}, [bad])
    RqQueue(queue_world.redis, "bets").requeue(bad)
    assert finish(worker, take(worker))
    assert list(queue_world.doubts()) == [bad]  # nobody has looked at the ledger yet


@pytest.mark.parametrize("tried", [False, True])
def test_a_command_that_was_too_late_is_in_doubt_only_if_it_was_tried(
    queue_world: QueueWorld, tried: bool
) -> None:
    [late] = queue_world.admit_together(7, bet_field=BET_FIELD)
    worker = queue_world.worker()
    batch = take(worker)

    ends = [FinishedCommand(late, "", None, "too late", expired=True, landed=not tried)]
    assert worker.finish(batch, ends, time.time())

    assert queue_world.under_way() == set()
    assert list(queue_world.doubts()) == ([late] if tried else [])
    assert queue_world.redis.ttl(f"betcore:doubt:{BET_FIELD}") > (80_000 if tried else -3)


def test_notes_stay_when_a_batch_is_lost_and_when_its_job_is_gone(queue_world: QueueWorld) -> None:
    lost, gone = queue_world.admit_together(7, 8, bet_field=BET_FIELD)
    take(queue_world.worker(lease_seconds=0.05))
    wait_until_leases_end(queue_world)
    worker = queue_world.worker()

    worker.sweep()
    assert list(queue_world.notes()) == [lost, gone]
    queue_world.redis.delete(f"rq:job:{queue_world.queued()[0]}")
    take(worker)
    worker.sweep()

    assert list(queue_world.notes()) == [lost, gone]
    assert queue_world.holder(7) is None


def test_a_note_is_put_aside_a_minute_after_its_deadline(queue_world: QueueWorld) -> None:
    """Its job is gone: nobody will say any more how the command ended."""
    now, redis = queue_world.now_ms(), queue_world.redis
    old, recent = f"{now - 70_000}+4000:7-aa", f"{now - 50_000}+4000:8-bb"
    fields = {"1:old": old, "1:both": f"{old} {recent}", "1:planted": "a text", "1:": ""}
    for field, notes in fields.items():
        redis.hset("betcore:in_flight", field, notes)
    redis.rpush("betcore:doubt:1:old", "of another type")

    assert queue_world.worker().sweep() == 0

    assert redis.hgetall("betcore:in_flight") == {b"1:both": recent.encode()}
    assert [list(queue_world.doubts(field)) for field in ("1:old", "1:both")] == [["7-aa"]] * 2
    assert redis.exists("betcore:doubt:1:planted", "betcore:doubt:1:") == 0


def test_a_planted_note_keeps_no_batch_from_being_finished(queue_world: QueueWorld) -> None:
    [command] = queue_world.admit_together(7, bet_field=BET_FIELD)
    notes = queue_world.redis.hget("betcore:in_flight", BET_FIELD) or b""
    planted = b"\xff : :: a:b %s x:%s" % (bytes(notes), command.encode()[:-1])  # type: ignore[arg-type]
    queue_world.redis.hset("betcore:in_flight", BET_FIELD, planted)
    worker = queue_world.worker()
    batch = take(worker)

    assert worker.finish(batch, [ended(id_) for id_ in ids(batch)], time.time())

    left = queue_world.redis.hget("betcore:in_flight", BET_FIELD)
    assert left == b"\xff : :: a:b x:" + command.encode()[:-1]
