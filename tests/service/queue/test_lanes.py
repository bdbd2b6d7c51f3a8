"""Lanes as workers see them: which jobs are taken, in which order; no lane stops for ever."""

import time

import pytest

from broker.batches import FinishedJob
from tests.service.support.queue_world import ANSWER, QueueWorld, Request, finish, ids, take

STREAMS = ("betcore:replies:one", "betcore:replies:two")


def test_a_batch_is_the_head_of_a_lane_and_those_behind_it(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 5)

    batch = take(queue_world.worker())

    assert ids(batch) == jobs
    assert queue_world.started() == set(jobs)
    assert queue_world.queued() == []
    assert queue_world.deferred() == set()


def test_a_batch_never_holds_more_than_its_maximum_and_a_lane_waits_for_its_rest(
    queue_world: QueueWorld,
) -> None:
    worker, other = queue_world.worker(batch_jobs_max=8), queue_world.worker("other")
    one, two = queue_world.admit_jobs(1, 5), queue_world.admit_jobs(2, 5)
    three = queue_world.admit_jobs(3, 1)

    first = take(worker)

    assert ids(first) == one + two[:3]
    assert queue_world.deferred() == set(two[3:])
    assert ids(take(other)) == three  # nobody may pass those of lane 2 that are started
    assert finish(worker, first)
    assert ids(take(other)) == two[3:]


def test_every_batch_of_a_long_lane_continues_where_the_last_one_ended(
    queue_world: QueueWorld,
) -> None:
    jobs = queue_world.admit_jobs(7, 100)
    worker = queue_world.worker()
    seen: list[str] = []
    sizes = []

    while (batch := take(worker)).jobs:
        seen += ids(batch)
        sizes.append(len(batch.jobs))
        assert finish(worker, batch)

    assert seen == jobs
    assert sizes == [48, 48, 4]
    assert queue_world.under_way() == set()


def test_a_taken_job_knows_how_long_it_may_still_be_applied(queue_world: QueueWorld) -> None:
    queue_world.admit_jobs(7, 1, budget_ms=4000)

    admitted_at = time.monotonic()
    (job,) = take(queue_world.worker()).jobs

    assert 3 < job.deadline.at - admitted_at < 4.002  # Redis counts whole milliseconds
    assert job.data == Request.data.encode()


def test_finish_queues_the_next_head_and_it_alone(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 4)
    worker = queue_world.worker(batch_jobs_max=1)

    finish(worker, take(worker))

    assert queue_world.queued() == [jobs[1]]
    assert queue_world.status(jobs[1]) == "queued"
    assert queue_world.deferred() == set(jobs[2:])
    assert queue_world.lane(7) == jobs[1:]


def test_a_job_admitted_while_its_lane_is_worked_on_waits_for_it(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    first = queue_world.admit_jobs(7, 1)
    batch = take(worker)
    (late,) = queue_world.admit_jobs(7, 1)

    assert take(queue_world.worker("other")).jobs == ()
    assert queue_world.status(late) == "deferred"
    finish(worker, batch)

    assert ids(take(worker)) == [late]
    assert first != [late]


def test_whoever_in_a_lane_expired_is_left_out_and_the_others_go_on(
    queue_world: QueueWorld,
) -> None:
    fates = [0, 60_000, 0, 0, 60_000]
    requests = [Request(budget_ms=budget) for budget in fates]
    queue_world.admit(*requests)
    jobs = [request.job_id for request in requests]

    batch = take(queue_world.worker())

    assert ids(batch) == [jobs[1], jobs[4]]
    assert queue_world.failed() == {jobs[0], jobs[2], jobs[3]}
    assert queue_world.lane(7) == [jobs[1], jobs[4]]
    assert queue_world.deferred() == set()


def test_a_lane_in_which_all_expired_is_gone(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 100, budget_ms=0)

    assert take(queue_world.worker()).jobs == ()

    assert queue_world.failed() == set(jobs)
    assert queue_world.under_way() == set()


def test_after_an_outage_one_script_ends_no_more_expired_jobs_than_it_should(
    queue_world: QueueWorld,
) -> None:
    requests = [Request(account, budget_ms=0) for account in range(1200)]
    queue_world.admit(*requests)
    (good,) = queue_world.admit_jobs(5000, 1)
    worker = queue_world.worker()

    assert take(worker).jobs == ()

    assert 500 <= len(queue_world.failed()) <= 500 + 32
    assert ids(take(worker)) + ids(take(worker)) == [good]
    assert len(queue_world.failed()) == 1200


def test_those_of_a_lane_that_are_gone_cancelled_or_hollow_are_passed_over_at_once(
    queue_world: QueueWorld,
) -> None:
    jobs = queue_world.admit_jobs(7, 7)
    for hollow in jobs[:5:2]:
        queue_world.redis.delete(f"rq:job:{hollow}")
    queue_world.redis.hset(f"rq:job:{jobs[1]}", "status", "canceled")
    queue_world.redis.hset(f"rq:job:{jobs[2]}", "status", "queued")
    queue_world.redis.hset(f"rq:job:{jobs[4]}", "status", "deferred")
    worker = queue_world.worker()

    batch = take(worker)

    assert ids(batch) == [jobs[3], *jobs[5:]]
    assert queue_world.deferred() == set()
    assert finish(worker, batch)
    assert queue_world.under_way() == set()


def test_a_hollow_head_does_not_hold_its_lane(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 3)
    queue_world.redis.hdel(f"rq:job:{jobs[0]}", "data")
    queue_world.redis.hdel(f"rq:job:{jobs[1]}", "data")
    queue_world.redis.delete("rq:queue:bets")
    worker = queue_world.worker()

    assert worker.sweep() == 1

    assert queue_world.queued() == [jobs[2]]
    assert ids(take(worker)) == [jobs[2]]


def test_finish_passes_over_heads_that_cannot_run(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 4)
    worker = queue_world.worker(batch_jobs_max=1)
    batch = take(worker)
    queue_world.redis.delete(f"rq:job:{jobs[1]}", f"rq:job:{jobs[2]}")

    finish(worker, batch)

    assert queue_world.queued() == [jobs[3]]
    assert queue_world.lane(7) == [jobs[3]]


def test_an_id_pushed_twice_runs_once(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 2)
    for id_ in (jobs[0], jobs[0], jobs[1], jobs[1]):
        queue_world.redis.rpush("rq:queue:bets", id_)
    worker, other = queue_world.worker(), queue_world.worker("other")

    batch = take(worker)

    assert ids(batch) == jobs
    assert take(other).jobs == ()
    queue_world.redis.rpush("rq:queue:bets", *jobs)
    assert take(other).jobs == ()
    assert finish(worker, batch)
    queue_world.redis.rpush("rq:queue:bets", *jobs)
    assert take(other).jobs == ()
    assert queue_world.under_way() == set()


def test_a_batch_finished_in_another_order_leaves_nothing(queue_world: QueueWorld) -> None:
    queue_world.admit_jobs(7, 3)
    queue_world.admit_jobs(8, 3)
    worker = queue_world.worker()
    batch = take(worker)
    assert "rq:worker:worker:executions" in queue_world.under_way()

    ends = [FinishedJob(id_, "", ANSWER) for id_ in reversed(ids(batch))]
    assert worker.finish(batch, ends, time.time())

    assert queue_world.under_way() == set()


def test_finishing_twice_counts_once(queue_world: QueueWorld) -> None:
    queue_world.admit_jobs(7, 3)
    worker = queue_world.worker()
    batch = take(worker)
    assert finish(worker, batch)
    before = queue_world.contents()

    assert not finish(worker, batch)

    assert queue_world.contents() == before
    assert queue_world.redis.hget("rq:worker:worker", "successful_job_count") == b"3"


def test_while_suspended_nothing_is_taken_and_everything_stays_queued(
    queue_world: QueueWorld,
) -> None:
    jobs = [queue_world.admit_jobs(account, 1)[0] for account in (1, 2, 3)]
    queue_world.redis.set("rq:suspended", 1)
    worker = queue_world.worker()

    assert worker.take(time.time()) is None
    assert worker.take(time.time(), queue_world.pop_one()) is None

    assert queue_world.queued() == jobs
    assert queue_world.intermediate() == []
    assert queue_world.started() == set()
    queue_world.redis.delete("rq:suspended")
    assert ids(take(worker)) == jobs


UNREADABLE = {
    "bytes that are no text": b"\xff\xfe",
    "one in a lane's form with bytes behind it": b"7-ab\xff",
    "a line": b"7-ab\n",
    "spaces": b"7 - ab",
    "nothing printable": b"\0",
    "very long": b"7-" + b"a" * 100_000,
}


@pytest.mark.parametrize("which", UNREADABLE)
def test_a_planted_id_that_no_worker_can_read_harms_no_batch(
    queue_world: QueueWorld, which: str
) -> None:
    planted, redis = UNREADABLE[which], queue_world.redis
    jobs = queue_world.admit_jobs(8, 2)
    redis.hset(
        name=b"rq:job:" + planted,
        mapping={"status": "queued", "data": "x", "deadline": queue_world.now_ms() + 60_000},
    )
    for place in ("rq:queue:bets", "betcore:returned:bets"):
        redis.lpush(place, planted)
    for lane in (7, 8, 9):
        redis.lpush(f"betcore:lane:{lane}", planted)
        redis.sadd("betcore:lanes", f"betcore:lane:{lane}")
    redis.rpush("betcore:lane:8", planted)  # behind good ones too
    jobs += queue_world.admit_jobs(9, 1)
    worker = queue_world.worker()

    taken: list[str] = []
    for _ in range(3):
        worker.sweep()
        if (batch := take(worker)).jobs:
            taken += ids(batch)
            assert finish(worker, batch)

    assert sorted(taken) == sorted(jobs)
    redis.delete(b"rq:job:" + planted)
    assert queue_world.under_way() == set()


def test_a_key_of_another_kind_in_the_place_of_a_job_stops_no_lane(queue_world: QueueWorld) -> None:
    jobs = [id_ for account in (1, 2) for id_ in queue_world.admit_jobs(account, 2)]
    redis, worker = queue_world.redis, queue_world.worker()
    assert queue_world.pop_one() == jobs[0]
    for planted in jobs[::2]:  # one is on the intermediate list, one on the queue; both are heads
        redis.delete(f"rq:job:{planted}")
        redis.set(f"rq:job:{planted}", "a text")

    for _ in range(2):
        worker.sweep()
        if (batch := take(worker)).jobs:
            assert set(ids(batch)) <= set(jobs[1::2])
            assert finish(worker, batch)

    assert [queue_world.status(id_) for id_ in jobs[1::2]] == ["finished"] * 2
    assert queue_world.under_way() == set()


def test_a_planted_place_for_a_note_that_is_longer_than_ours_is_not_handed_out(
    queue_world: QueueWorld,
) -> None:
    one, two = queue_world.admit_jobs(7, 2)
    queue_world.redis.hset(f"rq:job:{one}", "flight", "x" * 1024)
    queue_world.redis.hset(f"rq:job:{two}", "flight", "x" * 1_000_000)

    batch = take(queue_world.worker())

    assert [len(job.flight_key) for job in batch.jobs] == [1024, 0]


def test_keys_of_another_kind_where_notes_and_replies_go_keep_no_batch_from_being_finished(
    queue_world: QueueWorld,
) -> None:
    jobs = queue_world.admit_jobs(7, 2)
    (late,) = queue_world.admit_jobs(8, 1, budget_ms=0)
    redis, worker = queue_world.redis, queue_world.worker()
    redis.set("a text", "x")
    for id_ in (*jobs, late):
        redis.hset(f"rq:job:{id_}", "flight", "a text")

    batch = take(worker)
    assert ids(batch) == jobs
    ends = [FinishedJob(id_, stream, ANSWER) for id_, stream in zip(jobs, STREAMS, strict=True)]
    redis.set(STREAMS[0], "x")
    assert worker.finish(batch, ends, time.time())

    assert redis.xlen(STREAMS[1]) == 1
    assert [queue_world.status(id_) for id_ in (*jobs, late)] == ["finished"] * 2 + ["failed"]
    assert queue_world.under_way() == set()


def test_a_job_that_was_applied_is_not_run_again_whoever_puts_it_on_the_queue(
    queue_world: QueueWorld,
) -> None:
    """A stock worker said that it failed, and `rq requeue` lets it wait once more."""
    (applied,) = queue_world.admit_jobs(7, 1)
    worker = queue_world.worker()
    assert finish(worker, take(worker))
    queue_world.redis.hset(f"rq:job:{applied}", "status", "queued")
    queue_world.redis.persist(f"rq:job:{applied}")
    queue_world.redis.rpush("rq:queue:bets", applied)

    assert take(worker).jobs == ()

    assert queue_world.under_way() == set()
