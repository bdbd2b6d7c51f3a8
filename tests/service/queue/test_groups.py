"""Groups as workers see them: who is taken, in which order, and that players always go on."""

import time

import pytest

from broker.batches import Batches
from broker.ended import FinishedCommand
from broker.taken import Batch
from tests.service.support.queue_world import (
    ANSWER,
    QueueWorld,
    Request,
    decoded,
    ended,
    finish,
    ids,
    take,
)
from workers.jobs import EXPIRED

# Taking.


def test_a_batch_is_all_that_was_admitted_in_one_script(queue_world: QueueWorld) -> None:
    commands = queue_world.admit_together(7, 8, 9)

    batch = take(queue_world.worker())

    [job] = batch.jobs
    assert ids(batch) == commands
    assert job.accounts == ("7", "8", "9")
    assert queue_world.started() == {job.id}
    assert queue_world.queued() == []


def test_a_batch_takes_whole_groups_until_it_is_full(queue_world: QueueWorld) -> None:
    one, two = queue_world.admit_together(1, 2, 3), queue_world.admit_together(4, 5, 6)
    three, four = queue_world.admit_together(7), queue_world.admit_together(8)
    worker = queue_world.worker(batch_jobs_max=4)

    assert ids(take(worker)) == one  # with the second group it would be too long
    assert ids(take(worker)) == two + three
    assert ids(take(worker)) == four


def test_a_group_longer_than_a_batch_is_taken_alone(queue_world: QueueWorld) -> None:
    commands = queue_world.admit_together(*range(1, 11))
    queue_world.admit_together(20)

    assert ids(take(queue_world.worker(batch_jobs_max=4))) == commands


def test_commands_of_one_player_in_one_script_keep_their_order(queue_world: QueueWorld) -> None:
    commands = queue_world.admit_together(7, 8, 7, 9, 7)

    assert ids(take(queue_world.worker())) == commands
    assert queue_world.under_way_of(7) == [commands[0], commands[2], commands[4]]


def test_a_taken_command_knows_how_long_it_may_still_be_applied(queue_world: QueueWorld) -> None:
    admitted_at = time.monotonic()
    queue_world.admit(Request(7, budget_ms=4000), Request(8, budget_ms=9000))

    short, long = take(queue_world.worker()).commands

    assert 3 < short.deadline.at - admitted_at < 4.002  # Redis counts whole milliseconds
    assert 8 < long.deadline.at - admitted_at < 9.002
    assert not short.retaken


# Waiting.


def test_a_command_admitted_while_its_player_is_held_waits_for_it(queue_world: QueueWorld) -> None:
    worker, other = queue_world.worker(), queue_world.worker("other")
    queue_world.admit_together(7, 8)
    batch = take(worker)
    [late] = queue_world.admit_together(7)

    assert take(other).jobs == ()
    assert queue_world.waiting(7) == [late]
    assert finish(worker, batch)

    assert ids(take(other)) == [late]


def test_what_waits_for_several_players_becomes_one_group_in_the_order_of_each(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker()
    queue_world.admit_together(7, 8, 9)
    batch = take(worker)
    waiting = [queue_world.admit_together(7, 8), queue_world.admit_together(8, 7)]
    assert finish(worker, batch)

    [group] = queue_world.queued()

    (a, b), (c, d) = waiting
    assert queue_world.carried(group) == [a, d, b, c]
    assert {queue_world.holder(7), queue_world.holder(8)} == {group}
    assert queue_world.holder(9) is None


def test_of_a_hot_player_32_commands_at_a_time_become_a_group(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    commands = queue_world.admit_one_by_one(7, 70)
    seen, sizes = list[str](), list[int]()

    while (batch := take(worker)).jobs:
        seen += ids(batch)
        sizes.append(len(batch.commands))
        assert finish(worker, batch)

    assert seen == commands
    assert sizes == [1, 32, 32, 5]
    assert queue_world.under_way() == set()


def test_a_hot_player_leaves_room_for_each_other_player(queue_world: QueueWorld) -> None:
    others = [*range(8, 48)]
    queue_world.admit_together(7, *others)
    hot = queue_world.admit_one_by_one(7, 40)
    waiting = [queue_world.admit_one_by_one(other, 2) for other in others]
    worker = queue_world.worker()
    assert finish(worker, take(worker))

    [group] = queue_world.queued()

    assert queue_world.carried(group) == [hot[0], *(first for first, _ in waiting)]
    assert queue_world.waiting(7) == hot[1:]
    assert [queue_world.waiting(other) for other in others] == [[second] for _, second in waiting]


def test_the_list_of_a_player_for_whom_commands_always_wait_does_not_expire(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker()
    queue_world.admit_one_by_one(7, 40)
    queue_world.redis.expire("betcore:waiting:7", 100)

    assert finish(worker, take(worker))

    assert queue_world.waiting(7)
    assert queue_world.redis.ttl("betcore:waiting:7") > 80_000


# Those that go ahead: others make their provider wait.


def test_while_a_job_is_queued_others_may_go_ahead_of_it(queue_world: QueueWorld) -> None:
    first = queue_world.admit_together(1)
    normal, ahead = Request(2), [Request(3, ahead=True), Request(4, ahead=True)]
    assert queue_world.admit(ahead[0], normal, ahead[1]) == "AAA"
    worker = queue_world.worker(batch_jobs_max=1)

    assert ids(take(worker)) == [request.command_id for request in ahead]
    assert ids(take(worker)) == first
    assert ids(take(worker)) == [normal.command_id]


def test_a_player_keeps_the_order_of_commands_of_which_some_go_ahead(
    queue_world: QueueWorld,
) -> None:
    first = queue_world.admit_together(1)
    requests = [
        Request(account, ahead=ahead)
        for account, ahead in ((7, False), (7, True), (8, True), (8, False))
    ]
    assert queue_world.admit(*requests) == "AAAA"
    a, b, c, d = (request.command_id for request in requests)

    groups = [queue_world.carried(id_) for id_ in queue_world.queued()]
    assert groups == [[c, d], first, [a, b]]


# Finishing.


def test_finish_hands_out_the_next_batch(queue_world: QueueWorld) -> None:
    worker = queue_world.worker(batch_jobs_max=2)
    queue_world.admit_together(7)
    first = take(worker)
    waiting = queue_world.admit_together(7)
    queued = queue_world.admit_together(8)

    following = finish_and_take(worker, first)

    assert ids(following) == queued + waiting
    assert following.id != first.id
    assert all(command.deadline > first.commands[0].deadline for command in following.commands)
    assert ids(finish_and_take(worker, following)) == []
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("suspended", [False, True])
def test_finish_takes_nothing_unless_it_is_asked_to_and_may(
    queue_world: QueueWorld, suspended: bool
) -> None:
    worker = queue_world.worker()
    queue_world.admit_together(7)
    batch = take(worker)
    queued = queue_world.admit_together(8)
    if suspended:
        queue_world.redis.set("rq:suspended", 1)

    following = worker.finish(batch, [ended(ids(batch)[0])], time.time(), take=suspended)

    assert following is not None
    assert following.jobs == ()
    assert queue_world.queued() == queued
    assert queue_world.started() == set()


def test_finishing_twice_counts_once(queue_world: QueueWorld) -> None:
    queue_world.admit_together(7, 8)
    worker = queue_world.worker()
    batch = take(worker)
    assert finish(worker, batch)
    before = queue_world.contents()

    assert not finish(worker, batch)

    assert queue_world.contents() == before
    worker.report()
    worker.report()
    assert queue_world.redis.hget("rq:worker:worker", "successful_job_count") == b"1"


def test_a_batch_finished_in_another_order_leaves_nothing(queue_world: QueueWorld) -> None:
    queue_world.admit_together(7, 8, 7)
    queue_world.admit_together(9)
    worker = queue_world.worker()
    batch = take(worker)
    assert worker.renew(batch)
    assert "rq:worker:worker:executions" in queue_world.under_way()

    ends = [FinishedCommand(id_, "", ANSWER) for id_ in reversed(ids(batch))]
    assert worker.finish(batch, ends, time.time())

    assert queue_world.under_way() == set()


def test_commands_that_were_too_late_become_failed_jobs_and_the_others_are_done(
    queue_world: QueueWorld,
) -> None:
    commands = queue_world.admit_together(7, 8, 9, 10)
    [group] = queue_world.queued()
    worker = queue_world.worker(result_ttl_seconds=7)

    finish_with(worker, late=commands[::2])

    redis = queue_world.redis
    assert queue_world.status(group) == "finished"
    assert queue_world.failed() == set(commands[::2])
    for id_ in commands[::2]:
        assert redis.hget(f"rq:job:{id_}", "description") is not None
        assert 0 < redis.ttl(f"rq:job:{id_}") <= 7
        assert 0 < redis.ttl(f"rq:results:{id_}") <= 7
    assert queue_world.under_way() == set()


def test_a_group_of_which_all_were_too_late_fails_as_one(queue_world: QueueWorld) -> None:
    commands = queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    worker = queue_world.worker(result_ttl_seconds=7)

    finish_with(worker, late=commands)

    jobs = {key for key in queue_world.all_keys() if key.startswith("rq:job:")}
    assert (queue_world.failed(), jobs) == ({group}, {f"rq:job:{group}"})
    assert 0 < queue_world.redis.ttl(f"rq:job:{group}") <= 7
    assert queue_world.under_way() == set()


def test_while_suspended_nothing_is_taken_and_everything_stays_where_it_is(
    queue_world: QueueWorld,
) -> None:
    jobs = [queue_world.admit_together(account)[0] for account in (1, 2, 3)]
    queue_world.redis.set("rq:suspended", 1)
    worker = queue_world.worker()

    assert worker.take(time.time()) is None

    assert queue_world.queued() == jobs
    assert queue_world.started() == set()
    queue_world.redis.delete("rq:suspended")
    assert ids(take(worker)) == jobs


def test_a_worker_is_shown_as_busy_when_it_says_so(queue_world: QueueWorld) -> None:
    worker, key = queue_world.worker(), "rq:worker:worker"
    queue_world.admit_together(7)

    worker.take(time.time(), shows=True)

    assert queue_world.redis.hget(key, "state") == b"busy"
    assert 0 < queue_world.redis.ttl(key) <= 30
    assert decoded(queue_world.redis.keys("rq:execution*")) == []  # nobody could look so soon


def finish_and_take(worker: Batches, batch: Batch) -> Batch:
    """Finish a batch, and get the next one."""
    ends = [ended(id_) for id_ in ids(batch)]
    following = worker.finish(batch, ends, time.time(), take=True)
    assert following is not None
    return following


def finish_with(worker: Batches, late: list[str]) -> None:
    """Take a batch, and end it: some commands were too late, the others are done."""
    batch = take(worker)
    ends = [
        FinishedCommand(id_, "", None, EXPIRED, expired=True) if id_ in late else ended(id_)
        for id_ in ids(batch)
    ]
    assert worker.finish(batch, ends, time.time())
