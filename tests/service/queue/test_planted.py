"""What anyone who can write to Redis may plant: it harms no batch but its own."""

import time
from typing import Any

import pytest
from redis.exceptions import ResponseError

from broker.codec import BadJob
from broker.ended import FinishedCommand
from broker.rq_queue import RqQueue
from tests.service.support.queue_world import (
    ANSWER,
    QueueWorld,
    finish,
    ids,
    take,
)

STREAMS = ("betcore:replies:one", "betcore:replies:two")

UNREADABLE = {
    "bytes that are no text": b"\xff\xfe",
    "a command's id with bytes behind it": b"7-ab\xff",
    "a line": b"7-ab\n",
    "spaces": b"7 - ab",
    "nothing": b"",
    "nothing printable": b"\0",
    "very long": b"7-" + b"a" * 100_000,
}


@pytest.mark.parametrize("which", UNREADABLE)
def test_an_id_that_no_worker_can_read_harms_no_batch(queue_world: QueueWorld, which: str) -> None:
    planted, redis = UNREADABLE[which], queue_world.redis
    plant_job(queue_world, planted, accounts="9", times=f"{queue_world.now_ms()}+60000", holds="1")
    good = queue_world.admit_one_by_one(8, 2)
    lists = ("rq:queue:bets", "betcore:returned:bets", "rq:queue:bets:intermediate")
    for place in lists:
        redis.lpush(place, planted)
    redis.sadd("betcore:parked", planted)
    redis.hset("betcore:in_flight", "9", planted)
    good += queue_world.admit_one_by_one(9, 1)

    assert sorted(run_out(queue_world)) == sorted(good)
    redis.delete(b"rq:job:" + planted)
    assert queue_world.under_way() == set()


# Fields of a job.

FIELDS: dict[str, dict[Any, Any]] = {
    "no accounts": {"accounts": "", "times": ""},
    "accounts of spaces": {"accounts": " \t ", "times": "1+1"},
    "accounts that are too long": {"accounts": "1 " * 10_000, "times": "1+1"},
    "as many accounts as fit": {"accounts": "1 " * 4096, "times": "1+1"},
    "times that are too long": {"accounts": "9", "times": "1+1 " * 10_000},
    "more accounts than times": {"accounts": "9 10 11", "times": "1+1"},
    "more times than accounts": {"accounts": "9", "times": "1+1 1+1"},
    "accounts that are no text": {"accounts": b"\xff\xfe 9", "times": "1+1 1+1"},
    "an account that ends with a space of Unicode": {"accounts": "9\xa0", "times": "1+1"},
    "times that are no numbers": {"accounts": "9", "times": "soon"},
    "times beyond all numbers": {"accounts": "9", "times": "9" * 400 + "+" + "9" * 400},
    "data that is too long": {"data": " " * 2_000_000},
    "data that is no text": {"data": b"\xff\xfe"},
}


@pytest.mark.parametrize("holds", ["", "1"])
@pytest.mark.parametrize("which", FIELDS)
def test_a_job_with_planted_fields_fails_alone(
    queue_world: QueueWorld, which: str, holds: str
) -> None:
    before, after = queue_world.admit_one_by_one(7, 1), queue_world.admit_one_by_one(8, 1)
    fields = {"accounts": "9", "times": "1+1", "holds": holds} | FIELDS[which]
    plant_job(queue_world, b"planted", **fields)
    queue_world.redis.linsert("rq:queue:bets", "BEFORE", after[0], "planted")

    ran = run_out(queue_world)

    assert [id_ for id_ in ran if not id_.startswith("planted")] == before + after
    assert queue_world.failed() == {"planted"}
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("which", FIELDS)
def test_a_group_whose_fields_were_overwritten_frees_its_players(
    queue_world: QueueWorld, which: str
) -> None:
    queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    waiting = queue_world.admit_one_by_one(7, 1)
    queue_world.redis.hset(f"rq:job:{group}", mapping=FIELDS[which])

    ran = run_out(queue_world)

    assert ran[-1:] == waiting
    assert {id_[: len(group)] for id_ in queue_world.failed()} == {group}
    assert queue_world.under_way() == set()


def test_a_batch_has_room_for_few_jobs_that_are_not_ours(queue_world: QueueWorld) -> None:
    for number in range(50):
        plant_job(queue_world, b"planted-%d" % number)
        queue_world.redis.rpush("rq:queue:bets", f"planted-{number}")

    assert len(take(queue_world.worker(batch_jobs_max=8)).jobs) == 8


# Keys of another type.


def test_a_text_in_place_of_a_jobs_hash_stops_no_player(queue_world: QueueWorld) -> None:
    jobs = [queue_world.admit_one_by_one(account, 2) for account in (1, 2, 3)]
    redis = queue_world.redis
    assert queue_world.pop_one() == jobs[0][0]
    for holder, _ in jobs:  # one is on the intermediate list, two are on the queue
        redis.set(f"rq:job:{holder}", "a text")

    assert sorted(run_out(queue_world)) == sorted(second for _, second in jobs)
    assert queue_world.under_way() == set()


def test_a_text_in_place_of_the_hash_of_what_will_be_a_job_is_overwritten(
    queue_world: QueueWorld,
) -> None:
    """The id of the next group is known to whoever reads the waiting list."""
    _, second = queue_world.admit_one_by_one(7, 2)
    queue_world.redis.set(f"rq:job:{second}", "a text")
    _, two = queue_world.admit_together(8, 9)
    queue_world.redis.set(f"rq:job:{two}", "a text")
    worker = queue_world.worker()

    assert finish(worker, take(worker), failing=[two])

    assert queue_world.failed() == {two}
    assert ids(take(worker)) == [second]


def test_texts_in_place_of_results_keep_no_batch_from_being_finished(
    queue_world: QueueWorld,
) -> None:
    good, bad = queue_world.admit_one_by_one(7, 1) + queue_world.admit_one_by_one(8, 1)
    waiting = queue_world.admit_one_by_one(8, 1)
    for id_ in (good, bad):
        queue_world.redis.set(f"rq:results:{id_}", "a text")
    worker = queue_world.worker()

    assert finish(worker, take(worker), failing=[bad])

    assert (queue_world.status(good), queue_world.failed()) == ("finished", {bad})
    assert run_out(queue_world) == waiting
    assert queue_world.under_way() == set()


def test_a_text_in_place_of_a_reply_stream_keeps_no_batch_from_being_finished(
    queue_world: QueueWorld,
) -> None:
    jobs = queue_world.admit_one_by_one(7, 1) + queue_world.admit_one_by_one(8, 1)
    worker, redis = queue_world.worker(), queue_world.redis
    batch = take(worker)
    redis.set(STREAMS[0], "a text")

    ends = [FinishedCommand(id_, stream, ANSWER) for id_, stream in zip(jobs, STREAMS, strict=True)]
    assert worker.finish(batch, ends, time.time())

    assert redis.xlen(STREAMS[1]) == 1
    assert queue_world.under_way() == set()


def test_a_batch_that_a_planted_key_keeps_from_ending_has_its_lease_and_ends_without_the_key(
    queue_world: QueueWorld,
) -> None:
    """`finish` gives up the lease first, and takes it back if the rest fails (docs/adr/0039)."""
    [id_] = queue_world.admit_one_by_one(7, 1)
    worker, redis = queue_world.worker(), queue_world.redis
    batch = take(worker)
    redis.set("rq:finished:bets", "a text")

    for _ in range(2):  # each try gets the same error, and not that the lease was lost
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            finish(worker, batch)
    assert worker.renew(batch)

    redis.delete("rq:finished:bets")
    assert finish(worker, batch)
    assert queue_world.status(id_) == "finished"
    assert queue_world.under_way() == queue_world.started() == set()
    assert not worker.renew(batch)


def test_a_text_in_place_of_what_is_in_flight_is_removed_and_nothing_is_certain_then(
    queue_world: QueueWorld,
) -> None:
    queue_world.remember("a run")
    running = queue_world.admit_one_by_one(7, 2)
    worker = queue_world.worker()
    batch = take(worker)
    queued = queue_world.admit_one_by_one(8, 2)
    requeued = queue_world.admit_one_by_one(9, 1)
    before = queue_world.now_ms()
    queue_world.redis.set("betcore:in_flight", "a text")

    worker.sweep()

    assert queue_world.remember("a run") >= before  # bets that were noted may be under way
    assert finish(worker, batch)
    assert sorted(run_out(queue_world)) == sorted(running[1:] + queued + requeued)
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("key", ["betcore:in_flight", "betcore:parked"])
def test_a_text_in_place_of_what_is_in_flight_or_parked_loses_no_requeued_job(
    queue_world: QueueWorld, key: str
) -> None:
    worker = queue_world.worker()
    [failed] = queue_world.admit_one_by_one(7, 1)
    assert finish(worker, take(worker), failing=[failed])
    running = queue_world.admit_one_by_one(7, 1)
    batch = take(worker)
    RqQueue(queue_world.redis, "bets").requeue(failed)
    good = queue_world.admit_one_by_one(8, 1)
    queue_world.redis.set(key, "a text")

    last = take(queue_world.worker("other"))

    assert (ids(batch), ids(last)[-1:]) == (running, good)
    assert finish(worker, batch)
    assert finish(worker, last)
    assert failed in ids(last) + run_out(queue_world)
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_text_in_place_of_a_waiting_list_stops_nobody(queue_world: QueueWorld, when: str) -> None:
    key = "betcore:waiting:7"
    if when == "before":
        queue_world.redis.set(key, "a text")
    queue_world.admit_together(7, 8)
    waiting = queue_world.admit_one_by_one(7, 1)
    others = queue_world.admit_one_by_one(8, 1)
    if when == "after":
        queue_world.redis.set(key, "a text")
    worker = queue_world.worker()
    assert finish(worker, take(worker))

    assert run_out(queue_world) == (waiting if when == "before" else []) + others
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("many", [1, 100])
def test_texts_in_a_waiting_list_that_are_not_ours_are_dropped(
    queue_world: QueueWorld, many: int
) -> None:
    queue_world.admit_one_by_one(7, 1)
    waiting = queue_world.admit_one_by_one(7, 1)
    redis: Any = queue_world.redis
    key, ours = "betcore:waiting:7", redis.lindex("betcore:waiting:7", 0)
    foreign = (b"", b"\xff", b"a text", ours.replace(b"\n7\n", b"\n8\n"), ours + b"\n{}", b"\n" * 5)
    for text in foreign * many:
        redis.lpush(key, text)

    assert run_out(queue_world)[1:] == waiting
    assert queue_world.under_way() == set()


def test_players_whom_planted_groups_hold_are_freed_however_many(queue_world: QueueWorld) -> None:
    planted: dict[Any, Any] = dict.fromkeys(range(10_000), "a group")
    queue_world.redis.hset("betcore:in_flight", mapping=planted)
    waiting = queue_world.admit_one_by_one(7, 1)

    assert run_out(queue_world) == waiting
    assert queue_world.under_way() == set()


def test_planted_ids_by_the_thousand_end_no_take(queue_world: QueueWorld) -> None:
    queue_world.redis.rpush("rq:queue:bets", *(f"planted-{n}" for n in range(20_000)))
    good = queue_world.admit_one_by_one(7, 1)

    assert ids(take(queue_world.worker())) == good


def plant_job(world: QueueWorld, id_: bytes, **fields: str | bytes) -> None:
    """A job that no gateway has made."""
    job: dict[Any, Any] = {"status": "queued", "data": "x", **fields}
    world.redis.hset(name=b"rq:job:" + id_, mapping=job)


def run_out(world: QueueWorld) -> list[str]:
    """Sweep, take and finish until nothing is left; the ids of the commands that ran."""
    worker, ran = world.worker("last"), list[str]()
    for _ in range(20):
        worker.sweep()
        batch = take(worker)
        while batch.jobs:
            ran += ids(batch)
            bad = [command.id for command in batch.commands if isinstance(command.work, BadJob)]
            assert finish(worker, batch, failing=bad)
            batch = take(worker)
    return ran
