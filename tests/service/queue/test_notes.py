"""Notes of bets: which commands about a bet may still be applied, for those who ask."""

import time

import pytest

from broker.ended import FinishedCommand
from ops.queue import RqQueue
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

DAY_MS = 24 * 3_600_000


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


def test_a_command_whose_end_is_not_known_keeps_its_note_until_it_is(
    queue_world: QueueWorld,
) -> None:
    _, bad = queue_world.admit_together(7, 8, bet_field=BET_FIELD)
    worker = queue_world.worker()

    assert finish(worker, take(worker), failing=[bad])

    assert list(queue_world.notes()) == [bad]
    RqQueue(queue_world.redis, "bets").requeue(bad)
    assert finish(worker, take(worker))
    assert queue_world.notes() == {}


@pytest.mark.parametrize("tried", [False, True])
def test_a_command_that_was_too_late_keeps_its_note_only_if_it_was_tried(
    queue_world: QueueWorld, tried: bool
) -> None:
    [late] = queue_world.admit_together(7, bet_field=BET_FIELD)
    worker = queue_world.worker()
    batch = take(worker)

    ends = [FinishedCommand(late, "", None, "too late", expired=True, landed=not tried)]
    assert worker.finish(batch, ends, time.time())

    assert list(queue_world.notes()) == ([late] if tried else [])


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


def test_notes_go_a_day_after_the_last_of_their_bet(queue_world: QueueWorld) -> None:
    now, redis = queue_world.now_ms(), queue_world.redis
    day_ago = f"{now - DAY_MS - 1}+4000:7-aa"
    fields = {
        "1:old": day_ago,
        "1:both": f"{day_ago} {now - DAY_MS + 60_000}+4000:8-bb",
        "1:planted": "a text",
        "1:": "",
    }
    for field, notes in fields.items():
        redis.hset("betcore:in_flight", field, notes)

    assert queue_world.worker().sweep() == 0

    assert redis.hkeys("betcore:in_flight") == [b"1:both"]


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
