"""More bets than can be processed: the excess is refused immediately, and not queued."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from redis import Redis
from rq import Queue

from api.wallet.errors import OVERLOADED
from broker.admission import Verdict
from tests.service.queue.link_world import admission, running
from tests.service.support.faults import frozen
from tests.service.support.processes import BoundedGatewayProcess, GatewayProcess, until
from tests.service.support.queue_world import (
    QueueWorld,
    Request,
    ended,
    finish,
    ids,
    take,
)
from tests.service.support.traces import burnt
from tests.service.support.world import PlayerSession, World

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def impatient(world: World) -> Iterator[GatewayProcess]:
    """A gateway that admits nothing when the first job in the queue has waited for 5 s."""
    with BoundedGatewayProcess(world.urls, BETCORE_QUEUE_WAIT_MAX_SECONDS="5") as started:
        started.wait_ready()
        yield started


@pytest.fixture(scope="module")
def strict(world: World) -> Iterator[GatewayProcess]:
    """A gateway that allows one bet in flight per session."""
    with BoundedGatewayProcess(world.urls, BETCORE_BETS_OF_SESSION_MAX="1") as started:
        started.wait_ready()
        yield started


def wait_for(redis: "Redis", job_id: str, ms: int) -> None:
    """Let a job have waited on the queue for that long."""
    queued = int(redis.hget(f"rq:job:{job_id}", "queued_ms") or 0)
    redis.hset(f"rq:job:{job_id}", "queued_ms", queued - ms)


def test_gateways_are_told_how_long_the_first_in_the_queue_waits(
    queue_world: QueueWorld,
) -> None:
    queue_world.wait_max_ms = HOUR_MS
    first = queue_world.admit_one_by_one(1, 1)[0]
    queue_world.admit_one_by_one(2, 1)

    for waited, thousandths in ((HOUR_MS // 4, 250), (HOUR_MS // 2, 500), (2 * HOUR_MS, 1000)):
        wait_for(queue_world.redis, first, waited)
        queue_world.admit(Request(account=""))
        assert abs(queue_world.crowded - thousandths) <= 10
        wait_for(queue_world.redis, first, -waited)


def test_above_the_longest_wait_nothing_is_queued_and_the_nonce_is_used_up(
    queue_world: QueueWorld,
) -> None:
    first = queue_world.admit_one_by_one(1, 1)[0]
    wait_for(queue_world.redis, first, HOUR_MS)
    before = queue_world.all_keys()
    request, claim = Request(), Request(account="")

    assert queue_world.admit(request, claim) == "OC"
    assert queue_world.admit(request) == "O"  # the very same script, its answer lost
    assert queue_world.all_keys() - before == {request.nonce_key, claim.nonce_key}
    queue_world.redis.set("rq:suspended", 1)
    assert queue_world.admit(Request()) == "S"
    queue_world.redis.delete("rq:suspended")

    assert ids(take(queue_world.worker())) == [first]
    assert queue_world.admit(request, Request()) == "OA"


def test_above_the_most_jobs_nothing_is_queued(queue_world: QueueWorld) -> None:
    queue_world.jobs_max = 2
    queue_world.admit_one_by_one(1, 3)  # two of them wait for their player, in no job
    queue_world.admit_together(2, 3, 4)

    assert queue_world.admit(Request(2), Request(5)) == "OO"
    assert take(queue_world.worker(batch_jobs_max=1)).jobs
    assert queue_world.admit(Request(2), Request(5)) == "AA"


def test_waiting_behind_others_of_the_same_player_keeps_nobody_else_out(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker(batch_jobs_max=1)
    _, second = queue_world.admit_one_by_one(7, 2)
    text: Any = queue_world.redis.lindex("betcore:waiting:7", 0)
    since, _, rest = text.partition(b"+")
    queue_world.redis.lset("betcore:waiting:7", 0, b"%d+%s" % (int(since) - HOUR_MS, rest))  # type: ignore[arg-type]
    assert finish(worker, take(worker))

    assert queue_world.queued() == [second]
    assert queue_world.admit(Request(8)) == "A"
    assert queue_world.crowded == 0


def test_a_foreign_job_that_is_first_keeps_nobody_out(queue_world: QueueWorld) -> None:
    Queue("bets", connection=queue_world.redis).enqueue("tests.service.queue.rq_functions.add")

    assert queue_world.admit(Request()) == "A"
    assert queue_world.crowded == 0


def test_a_bet_that_goes_ahead_is_taken_before_all_that_wait_and_keeps_the_order_of_its_player(
    queue_world: QueueWorld,
) -> None:
    waiting = queue_world.admit_one_by_one(1, 1) + queue_world.admit_one_by_one(2, 1)
    ahead = queue_world.admit_one_by_one(3, 2, ahead=True)
    behind_its_own = queue_world.admit_one_by_one(1, 1, ahead=True)

    worker = queue_world.worker(batch_jobs_max=1)

    assert ids(batch := take(worker)) == ahead[:1]
    assert finish(worker, batch)
    assert ids(batch := take(worker)) == waiting[:1]
    assert finish(worker, batch)
    assert [ids(take(worker)) for _ in range(3)] == [waiting[1:], ahead[1:], behind_its_own]


def test_of_one_script_what_goes_ahead_is_another_job_than_the_rest(
    queue_world: QueueWorld,
) -> None:
    queue_world.admit(Request(1))
    requests = [Request(2), Request(3, ahead=True), Request(2, ahead=True), Request(3)]

    assert queue_world.admit(*requests) == "AAAA"

    of_2, of_3, again_2, again_3 = (request.command_id for request in requests)
    assert queue_world.queued_commands()[:2] == [of_3, again_3]
    assert queue_world.queued_commands()[3:] == [of_2, again_2]


def test_a_queue_that_others_have_filled_takes_a_bet_that_goes_ahead_until_those_wait_too_long(
    queue_world: QueueWorld,
) -> None:
    def admitted(account: int, *, ahead: bool) -> str:
        return queue_world.admit(Request(account, ahead=ahead))

    def has_waited_for_an_hour(job_id: str) -> None:
        queue_world.redis.hincrby(f"rq:job:{job_id}", "queued_ms", -HOUR_MS)

    queue_world.wait_max_ms = HOUR_MS
    has_waited_for_an_hour(queue_world.admit_one_by_one(1, 1)[0])
    assert admitted(2, ahead=False) == "O"
    [first] = queue_world.admit_one_by_one(3, 1, ahead=True)
    assert admitted(4, ahead=True) == "A"

    has_waited_for_an_hour(first)

    assert admitted(5, ahead=True) == "O"
    queue_world.jobs_max = 1
    assert admitted(6, ahead=True) == "O"


async def test_a_gateway_is_told_how_crowded_the_queue_is(
    queue_world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(queue_world.redis, queue_world.admit_one_by_one(1, 1)[0], HOUR_MS)
    noted: list[int] = []
    async with running(queue_world.settings) as link:
        monkeypatch.setattr(link, "_on_crowded", lambda share, _: noted.append(share))

        assert await asyncio.wait_for(link.submit(admission(link)), 10) is Verdict.OVERLOADED

    assert noted == [1000]


def test_while_no_worker_runs_bets_are_refused_at_once_and_questions_answered(
    world: World, player: PlayerSession, impatient: GatewayProcess
) -> None:
    near = replace(player, client=replace(player.client, url=impatient.url))
    others = [world.open_session(player.client) for _ in range(len(world.workers) + 1)]
    provider = world.provider_row(player.client)
    with ThreadPoolExecutor(len(others)) as waiting:
        with frozen(*(worker.pid for worker in world.workers)):
            # Redis hands each worker at most one that it had asked for; the others are queued.
            admitted = []
            for other in others:  # in a script, and so in a job, of its own
                admitted.append(waiting.submit(other.pay_in_out, 1))
                until(partial(is_held, world, other))
            queued = world.redis.lrange("rq:queue:bets", 0, -1)
            wait_for(world.redis, queued[0].decode(), 60_000)

            before = burnt(world, provider)
            refused = [near.pay_in_out(1) for _ in range(20)]
            # Most were turned away by the gateway itself, before it looked at them.
            assert 1 <= len(burnt(world, provider) - before) < len(refused)
            assert world.redis.lrange("rq:queue:bets", 0, -1) == queued
            assert player.balance().code == player.client.status("a").code == 1

        assert [answer.result().code for answer in admitted] == [1] * len(others)
    assert {(answer.status, answer.code) for answer in refused} == {(503, 99)}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {len(answer.body["requestId"]) for answer in refused} == {32}
    assert {answer.body["message"] for answer in refused} == {OVERLOADED}
    assert not is_held(world, player)
    until(lambda: near.pay_in_out(1).code == 1)
    assert world.rows("select count(*) from bet where account_id = %s", player.account_id) == [(1,)]


def test_a_session_with_as_many_bets_under_way_as_may_be_is_turned_away_and_no_other(
    world: World, player: PlayerSession, strict: GatewayProcess
) -> None:
    near = replace(player, client=replace(player.client, url=strict.url))
    other = world.open_session(near.client)
    provider = world.provider_row(player.client)
    with ThreadPoolExecutor(2) as waiting:
        with frozen(*(worker.pid for worker in world.workers)):
            first = waiting.submit(near.pay_in_out, 1)
            until(lambda: is_held(world, near))

            before = burnt(world, provider)
            refused = near.pay_in_out(1)
            assert burnt(world, provider) == before
            second = waiting.submit(other.pay_in_out, 1)
            until(lambda: is_held(world, other))

        assert first.result().code == second.result().code == 1
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, 99, "1")
    assert near.pay_in_out(1).code == 1


def test_what_expired_is_kept_no_longer_than_a_result(queue_world: QueueWorld) -> None:
    worker = queue_world.worker(result_ttl_seconds=7)
    [expired] = queue_world.admit_one_by_one(1, 1)
    [failed] = queue_world.admit_one_by_one(2, 1)
    batch = take(worker)

    assert worker.finish(
        batch,
        [replace(ended(expired, failing=True), expired=True), ended(failed, failing=True)],
        time.time(),
    )

    assert queue_world.failed() == {expired, failed}
    assert 0 < queue_world.redis.ttl(f"rq:job:{expired}") <= 7
    assert 0 < queue_world.redis.ttl(f"rq:results:{expired}") <= 7
    assert queue_world.redis.ttl(f"rq:job:{failed}") > 3_600


def is_held(world: World, player: PlayerSession) -> bool:
    """Whether a job holds the player."""
    return bool(world.redis.hexists("betcore:in_flight", str(player.account_id)))
