"""Admission in Redis: all or nothing for each request, and nothing twice."""

import secrets
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from broker.codec import Work, encode_command
from models.commands import PayInOut
from settings import Settings
from tests.service.support.queue_world import QueueWorld, Request, finish, ids, take


def test_an_admitted_request_is_one_queued_job_that_holds_its_player(
    queue_world: QueueWorld,
) -> None:
    request = Request(account=7)

    assert queue_world.admit(request) == "A"

    assert queue_world.queued() == queue_world.queued_commands() == [request.command_id]
    assert queue_world.holder(7) == request.command_id
    assert queue_world.status(request.command_id) == "queued"


def test_the_requests_of_a_script_are_one_job_in_the_order_of_admission(
    queue_world: QueueWorld,
) -> None:
    requests = [Request(account) for account in (7, 8, 7, 9, 8, 7)]

    assert queue_world.admit(*requests) == "A" * 6

    [group] = queue_world.queued()
    assert queue_world.carried(group) == [request.command_id for request in requests]
    assert {queue_world.holder(account) for account in (7, 8, 9)} == {group}
    assert queue_world.status(group) == "queued"


def test_what_comes_while_a_player_is_held_waits_for_the_player_in_its_order(
    queue_world: QueueWorld,
) -> None:
    [first, *waiting] = queue_world.admit_one_by_one(7, 4)
    with_another = [Request(8), Request(7), Request(9), Request(7)]

    assert queue_world.admit(*with_another) == "AAAA"

    of_8, of_7, of_9, last = (request.command_id for request in with_another)
    assert queue_world.waiting(7) == [*waiting, of_7, last]
    assert queue_world.queued_commands() == [first, of_8, of_9]
    assert queue_world.all_keys().isdisjoint(f"rq:job:{id_}" for id_ in (*waiting, of_7, last))
    assert 0 < queue_world.redis.ttl("betcore:waiting:7") <= 24 * 3600


def test_the_largest_job_that_the_settings_allow_is_read_by_workers(
    queue_world: QueueWorld,
) -> None:
    largest = Settings.model_fields["admissions_per_script_max"].metadata[1].le
    requests = [_longest(2**62 + number) for number in range(largest)]
    waiting = [_longest(2**62 + number) for number in range(largest)]
    worker = queue_world.worker()

    assert queue_world.admit(*requests) == "A" * largest
    assert queue_world.admit(*waiting) == "A" * largest

    for group in (requests, waiting):
        batch = take(worker)
        assert ids(batch) == [request.command_id for request in group]
        assert all(isinstance(command.work, Work) for command in batch.commands)
        assert finish(worker, batch)


def test_the_deadline_is_the_budget_counted_on_redis_clock(queue_world: QueueWorld) -> None:
    requests = [Request(budget_ms=4000), Request(8, budget_ms=5000)]
    before = queue_world.now_ms()

    queue_world.admit(*requests)

    after, [group] = queue_world.now_ms(), queue_world.queued()
    times: Any = queue_world.redis.hget(f"rq:job:{group}", "times")
    since, budgets = zip(*(map(int, time.split(b"+")) for time in times.split()), strict=True)
    assert budgets == (4000, 5000)
    assert before <= min(since) <= max(since) <= after


def test_a_claim_keeps_its_nonce_and_queues_nothing(queue_world: QueueWorld) -> None:
    claim = Request(account="")

    assert queue_world.admit(claim) == "C"

    assert queue_world.all_keys() == {"betcore:memory", claim.nonce_key}
    assert queue_world.admit(Request(nonce=claim.nonce)) == "D"


def test_while_suspended_requests_are_refused_and_leave_only_their_nonce(
    queue_world: QueueWorld,
) -> None:
    queue_world.redis.set("rq:suspended", 1)
    request, claim = Request(), Request(account="")

    assert queue_world.admit(request, claim) == "SC"

    expected = {"betcore:memory", "rq:suspended", request.nonce_key, claim.nonce_key}
    assert queue_world.all_keys() == expected
    queue_world.redis.delete("rq:suspended")
    assert queue_world.admit(request) == "S"  # what was answered stays answered
    assert queue_world.admit(Request()) == "A"


def test_a_nonce_used_again_queues_nothing_whoever_uses_it(queue_world: QueueWorld) -> None:
    first = Request()
    queue_world.admit(first)
    before = queue_world.contents()

    same_again = replace(first, token=secrets.token_hex(16))
    other = replace(same_again, signature=secrets.token_bytes(32))
    other_player = replace(same_again, account=8)
    assert queue_world.admit(same_again, other, other_player, first) == "DRDA"

    assert queue_world.contents() == before


def test_of_two_requests_with_one_nonce_in_one_script_the_first_wins(
    queue_world: QueueWorld,
) -> None:
    first = Request()
    copy = replace(first, token=secrets.token_hex(16))
    forged = replace(copy, signature=bytes(31) + b"x")

    assert queue_world.admit(first, copy, forged) == "ADR"

    assert queue_world.under_way_of(7) == [first.command_id]


def test_each_request_of_a_script_is_admitted_wholly_or_not_at_all(
    queue_world: QueueWorld,
) -> None:
    queue_world.remember("a server")
    now = queue_world.now_ms()
    used = Request(account=1)
    queue_world.admit(used)
    good = [Request(account=account) for account in (2, 3, 3)]
    bad = [
        Request(account=4, nonce=used.nonce),
        Request(account=4, nonce=used.nonce, signature=bytes(31) + b"x"),
        Request(account=4, stamp_ms=now - 60_000, expires_ms=now + 60_000),
    ]

    assert queue_world.admit(good[0], bad[0], bad[1], good[1], bad[2], good[2]) == "ADRAFA"

    assert queue_world.queued_commands() == [request.command_id for request in (used, *good)]
    jobs = {key for key in queue_world.all_keys() if key.startswith("rq:job:")}
    assert jobs == {f"rq:job:{id_}" for id_ in queue_world.queued()}
    assert queue_world.holder(4) is None


def test_a_script_sent_again_with_its_tokens_answers_the_same_and_does_nothing(
    queue_world: QueueWorld,
) -> None:
    now = queue_world.now_ms()
    used = Request(account=1)
    queue_world.admit(used)
    script = [
        Request(account=2),
        Request(account=2),
        Request(account=""),
        Request(account=3, nonce=used.nonce),
        Request(account=3, stamp_ms=now - 60_000, expires_ms=now + 60_000),
    ]
    assert queue_world.admit(*script) == "AACDF"
    before = queue_world.contents()

    assert queue_world.admit(*script) == "AACDF"
    assert queue_world.admit(*reversed(script)) == "FDCAA"

    assert queue_world.contents() == before


def test_a_script_of_commands_that_all_wait_for_a_player_is_sent_again_with_no_effect(
    queue_world: QueueWorld,
) -> None:
    """They change nothing that is in flight, for others wait for the player already."""
    first, second = queue_world.admit_one_by_one(7, 2)
    third = Request(7)

    assert queue_world.admit(third) == "A"
    before = queue_world.contents()
    assert queue_world.admit(third) == "A"

    assert queue_world.under_way_of(7) == [first, second, third.command_id]
    assert queue_world.contents() == before


def test_a_script_sent_again_after_its_job_was_finished_does_not_run_it_again(
    queue_world: QueueWorld,
) -> None:
    worker, request = queue_world.worker(), Request()
    queue_world.admit(request)
    batch = take(worker)
    assert queue_world.admit(request) == "A"  # while it runs
    assert finish(worker, batch)
    before = queue_world.contents()

    assert queue_world.admit(request) == "A"

    assert queue_world.contents() == before
    assert take(worker).jobs == ()


def test_a_redis_that_takes_no_writes_refuses_the_script_before_it_has_written_anything(
    queue_world: QueueWorld,
) -> None:
    redis, requests = queue_world.redis, [Request(), Request(account="")]
    queue_world.admit(Request(account=1))
    before = queue_world.contents()

    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutOfMemoryError):
            queue_world.admit(*requests)
    finally:
        redis.config_set("maxmemory", 0)
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(ReadOnlyError):
            queue_world.admit(*requests)
    finally:
        redis.replicaof("NO", "ONE")

    assert queue_world.contents() == before
    assert queue_world.admit(*requests) == "AC"


def test_a_full_redis_still_finishes_what_it_admitted(queue_world: QueueWorld) -> None:
    worker, redis = queue_world.worker(), queue_world.redis
    first, second = queue_world.admit_one_by_one(7, 2)
    worker_of_one = queue_world.worker(batch_jobs_max=1)
    batch = take(worker_of_one)
    redis.config_set("maxmemory", 1)
    try:
        assert finish(worker_of_one, batch)
        last = take(worker)
        assert ids(last) == [second]
        assert finish(worker, last)
    finally:
        redis.config_set("maxmemory", 0)

    assert [queue_world.status(id_) for id_ in (first, second)] == ["finished"] * 2
    assert queue_world.under_way() == set()


def _longest(account: int) -> Request:
    """A bet whose texts are as long as any may be."""
    longest = "\N{GRINNING FACE}" * 128
    bet = PayInOut(
        *(2**31 - 1, longest, account, longest, longest),
        stake=Decimal("0." + "1" * 18),
        win=Decimal("1" * 15),
        player=longest,
    )
    request = Request(account, reply_to="betcore:replies:" + "f" * 64, budget_ms=10**6)
    return replace(request, payload=encode_command(bet, request.token, request.reply_to))
