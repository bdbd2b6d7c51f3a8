"""A group is handed to an idle worker by the script that admits it (docs/adr/0026)."""

import time

import pytest

from broker.batches import Batches
from broker.taken import Batch
from models.deadline import Deadline
from tests.service.support.processes import until
from tests.service.support.queue_world import (
    BET_FIELD,
    HOUR_MS,
    QueueWorld,
    Request,
    admitted,
    ended,
    finish,
    ids,
    offer,
    receive,
    take,
    wait_until_leases_end,
)


def test_an_idle_worker_gets_the_group_that_is_admitted(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    offer(worker)

    commands = queue_world.admit_together(7, 8, bet_field=BET_FIELD)
    batch = receive(worker)

    assert ids(batch) == commands
    [job] = batch.jobs
    assert job.accounts == ("7", "8")
    assert queue_world.queued() == []
    assert queue_world.status(job.id) == "started"
    assert queue_world.started() == {job.id}
    assert queue_world.holder(7) == queue_world.holder(8) == job.id
    assert queue_world.redis.hget(f"rq:job:{job.id}", "worker_name") == b"worker"
    assert worker.renew(batch)
    assert finish(worker, batch)
    assert queue_world.status(job.id) == "finished"
    assert queue_world.under_way() == set()
    assert not take(worker).jobs


def test_a_worker_that_finishes_and_finds_nothing_is_handed_the_next_group(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker()
    worker.prepare()
    queue_world.admit_together(7)
    following = finish_and_offer(worker, take(worker))
    assert following.jobs == ()

    [command] = queue_world.admit_together(8)

    assert ids(receive(worker)) == [command]


def test_commands_that_wait_for_a_player_who_was_handed_over_follow_in_order(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker()
    offer(worker)
    first, *others = queue_world.admit_one_by_one(7, 3)
    batch = receive(worker)
    assert ids(batch) == [first]

    assert ids(finish_and_offer(worker, batch)) == others
    assert queue_world.offers() == []


def test_an_offer_is_accepted_once_and_the_last_one_first(queue_world: QueueWorld) -> None:
    one, two = queue_world.worker("one"), queue_world.worker("two")
    offer(one)
    offer(two)

    groups = [queue_world.admit_together(account) for account in (1, 2, 3)]

    assert ids(receive(two)) == groups[0]
    assert ids(receive(one)) == groups[1]
    assert queue_world.queued() == groups[2]


def test_a_command_that_goes_ahead_is_handed_over_before_others(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    offer(worker)
    normal, ahead = Request(1), Request(2, ahead=True)

    assert queue_world.admit(normal, ahead) == "AA"

    assert ids(receive(worker)) == [ahead.command_id]
    assert queue_world.queued() == [normal.command_id]


def test_the_offer_of_a_worker_that_is_gone_reaches_nobody(queue_world: QueueWorld) -> None:
    alive, gone = queue_world.worker("alive"), queue_world.worker("gone")
    offer(alive)
    offer(gone)
    gone._offers.reset()

    first, second = queue_world.admit_together(1), queue_world.admit_together(2)

    assert ids(receive(alive)) == first
    assert queue_world.queued() == second
    assert queue_world.offers() == []


def test_a_worker_that_dies_with_the_message_unread_loses_its_lease(
    queue_world: QueueWorld,
) -> None:
    dead = queue_world.worker("dead", lease_seconds=0.05)
    offer(dead)
    group = queue_world.admit_together(7, 8)
    wait_until_leases_end(queue_world)
    worker = queue_world.worker()

    assert worker.sweep()

    assert ids(take(worker)) == group


def test_a_batch_that_waited_unread_counts_its_lease_and_deadline_from_the_offer(
    queue_world: QueueWorld,
) -> None:
    """The worker may have been paused. What it believes must never last longer than in Redis."""
    worker = queue_world.worker()
    before = Deadline.within(0)
    offer(worker)
    after = Deadline.within(0)
    queue_world.admit_together(7, budget_ms=30_000)
    latest = Deadline.within(30)
    until(lambda: Deadline.within(0) > after.later(0.3))

    batch = receive(worker)

    assert before <= batch.leased_from <= after
    assert after.later(29) < batch.commands[0].deadline <= latest


@pytest.mark.parametrize("set_by_ms", [-HOUR_MS, HOUR_MS])
def test_a_clock_that_is_set_between_offer_and_group_moves_no_deadline(
    queue_world: QueueWorld, set_by_ms: int
) -> None:
    worker = queue_world.worker()
    before = Deadline.within(0)
    offer(worker)
    assert worker._offers._left is not None
    sent_at, left_ms = worker._offers._left
    worker._offers.left(sent_at, left_ms - set_by_ms)

    queue_world.admit_together(7, budget_ms=30_000)
    batch = receive(worker)

    assert before.later(30) <= batch.commands[0].deadline <= Deadline.within(30)


def test_a_worker_that_takes_instead_of_waiting_gets_what_was_handed_over(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker()
    offer(worker)
    handed, queued = queue_world.admit_together(1), queue_world.admit_together(2)

    assert ids(take(worker)) == handed
    assert ids(take(worker)) == queued


def test_an_offer_that_was_taken_back_is_not_accepted(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    offer(worker)

    assert worker.withdraw() is None
    assert worker.withdraw() is None

    assert queue_world.offers() == []
    group = queue_world.admit_together(7)
    assert queue_world.queued() == group
    assert worker.wait(0) is None


def test_a_worker_that_ends_runs_what_was_handed_over_first(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    offer(worker)
    group = queue_world.admit_together(7)

    batch = worker.withdraw()

    assert batch is not None
    assert ids(batch) == group
    assert finish(worker, batch)


def test_an_idle_worker_leaves_one_offer_however_often_it_looks(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    for _ in range(3):
        offer(worker)
        assert worker.wait(0) is None

    assert len(queue_world.offers()) == 1
    assert 0 < queue_world.redis.ttl("betcore:idle:bets") <= 30  # if no worker is left
    assert ids(admitted(queue_world, worker)) != []


def test_while_suspended_no_worker_leaves_an_offer(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    offer(worker)
    queue_world.redis.set("rq:suspended", 1)

    assert worker.take(time.time(), offers=True) is None

    assert queue_world.offers() == []
    queue_world.redis.delete("rq:suspended")
    group = queue_world.admit_together(7)
    assert ids(take(worker)) == group


def test_a_script_that_is_sent_again_hands_nothing_over_twice(queue_world: QueueWorld) -> None:
    one, two = queue_world.worker("one"), queue_world.worker("two")
    offer(one)
    offer(two)
    request = Request(7)
    assert queue_world.admit(request) == "A"
    before = queue_world.contents()

    assert queue_world.admit(request) == "A"

    assert queue_world.contents() == before
    assert ids(receive(two)) == [request.command_id]
    assert one.wait(0) is None


def finish_and_offer(worker: Batches, batch: Batch) -> Batch:
    """Finish a batch, and take the next one or leave an offer."""
    ends = [ended(id_) for id_ in ids(batch)]
    following = worker.finish(batch, ends, time.time(), take=True, offers=True)
    assert following is not None
    return following
