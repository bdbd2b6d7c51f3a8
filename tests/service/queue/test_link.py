"""A gateway's link to Redis without faults: one script per tick admits, results come back."""

import asyncio
import secrets
import time
from typing import Any

from broker.admission import Verdict
from broker.ended import FinishedCommand
from broker.link import Link
from settings import Settings
from tests.service.queue.link_world import (
    admission,
    answer_all,
    eventually,
    id_of,
    result_of,
    running,
)
from tests.service.support.queue_world import QueueWorld, Request, take

QUICKLY = 1.0


async def test_sixty_requests_of_one_tick_go_out_as_two_scripts(
    queue_world: QueueWorld,
) -> None:
    settings = queue_world.settings
    async with running(settings) as link:
        before = calls(queue_world, "evalsha")
        requests = [admission(link, account=number) for number in range(60)]
        futures = [link.submit(request) for request in requests]

        await eventually(lambda: len(queue_world.queued_commands()) == 60)

        assert settings.admissions_per_script_max == 32
        assert calls(queue_world, "evalsha") - before == 2
        assert len(queue_world.queued()) == 2  # jobs
        assert queue_world.queued_commands() == [id_of(request) for request in requests]
        answer_all(queue_world)
        results = await asyncio.wait_for(asyncio.gather(*futures), 10)
        assert results == [result_of(id_of(request)) for request in requests]


async def test_each_of_two_gateways_gets_its_own_results(queue_world: QueueWorld) -> None:
    async with running(queue_world.settings) as one, running(queue_world.settings) as other:
        requests = [admission(link) for link in (one, other, one)]
        futures = [
            link.submit(request) for link, request in zip((one, other, one), requests, strict=True)
        ]
        await eventually(lambda: len(queue_world.under_way_of(7)) == 3)

        answer_all(queue_world)

        results = await asyncio.wait_for(asyncio.gather(*futures), 10)
        assert results == [result_of(id_of(request)) for request in requests]


async def test_what_redis_refuses_is_answered_at_once(queue_world: QueueWorld) -> None:
    async with running(queue_world.settings) as link:
        first = admission(link)
        link.submit(first)
        same: dict[str, Any] = {"nonce_key": first.claim.key}
        claim = admission(link, account=None)
        duplicate = admission(link, **same)
        reused = admission(link, **same, signature=secrets.token_bytes(32))
        forgotten = admission(link, stamp_ms=0)

        verdicts = [await soon(link, each) for each in (claim, duplicate, reused, forgotten)]
        queue_world.redis.set("rq:suspended", 1)
        verdicts.append(await soon(link, admission(link)))

        assert verdicts == [
            Verdict.CLAIMED,
            Verdict.DUPLICATE,
            Verdict.REUSED,
            Verdict.FORGOTTEN,
            Verdict.SUSPENDED,
        ]
        assert queue_world.under_way_of(7) == [id_of(first)]


async def test_a_command_that_failed_leaves_its_outcome_unknown_at_once(
    queue_world: QueueWorld,
) -> None:
    async with running(queue_world.settings) as link:
        waiting = link.submit(admission(link))
        await eventually(lambda: bool(queue_world.queued()))

        answer_all(queue_world, failing=True)

        assert await asyncio.wait_for(waiting, QUICKLY) is Verdict.UNKNOWN


async def test_a_request_without_a_result_is_unknown_when_its_time_is_up(
    queue_world: QueueWorld,
) -> None:
    async with running(queue_world.settings) as link:
        sent = admission(link, answer_within=0.3)
        began = asyncio.get_running_loop().time()

        assert await link.submit(sent) is Verdict.UNKNOWN

        assert 0.3 <= asyncio.get_running_loop().time() - began < 0.3 + QUICKLY
        assert queue_world.queued() == [id_of(sent)]


async def test_a_request_that_was_never_sent_was_not_admitted(queue_world: QueueWorld) -> None:
    not_started = Link(queue_world.settings)
    assert await not_started.submit(admission(not_started)) is Verdict.NOT_ADMITTED

    async with running(queue_world.settings) as link:
        too_late = admission(link, apply_within=0, answer_within=0.2)
        assert await link.submit(too_late) is Verdict.NOT_ADMITTED

    assert queue_world.queued() == []


async def test_a_request_is_given_up_in_time_though_one_due_later_was_submitted_first(
    queue_world: QueueWorld,
) -> None:
    async with running(queue_world.settings) as link:
        link.submit(admission(link, answer_within=30))
        # It arrived earlier, and waited for a look-up until now.
        late = link.submit(admission(link, answer_within=0.2))

        assert await asyncio.wait_for(late, 0.2 + QUICKLY) is Verdict.UNKNOWN


async def test_whoever_still_waits_when_the_gateway_stops_is_told(
    queue_world: QueueWorld,
) -> None:
    async with running(queue_world.settings) as link:
        waiting = link.submit(admission(link))
        await eventually(lambda: bool(queue_world.queued()))

        await link.stop()

        assert await asyncio.wait_for(waiting, QUICKLY) is Verdict.UNKNOWN
        assert await link.submit(admission(link)) is Verdict.NOT_ADMITTED


async def test_a_request_whose_caller_left_leaves_nothing_behind(
    queue_world: QueueWorld,
) -> None:
    async with running(queue_world.settings) as link:
        left = admission(link, answer_within=0.2)
        link.submit(left).cancel()
        stays = admission(link, account=8)
        waiting = link.submit(stays)
        await eventually(lambda: queue_world.queued() == [id_of(stays)])

        answer_all(queue_world)

        assert await asyncio.wait_for(waiting, QUICKLY) == result_of(id_of(stays))
        await eventually(lambda: not link._waiting)  # what would grow for ever has no other face


async def test_a_message_that_is_no_reply_does_not_end_the_link(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    async with running(quick_settings) as link:
        for message in ("no JSON", "7", '{"a":1}', "[[[1],2]]", "[1]", "[" * 100_000):
            queue_world.redis.xadd(link.stream, {"d": message})
        request = admission(link)
        waiting = link.submit(request)
        await eventually(lambda: bool(queue_world.queued()))

        answer_all(queue_world)

        assert await asyncio.wait_for(waiting, QUICKLY) == result_of(id_of(request))
        assert link.ready


async def test_the_stream_of_replies_stays_short_and_goes_when_its_gateway_is_gone(
    queue_world: QueueWorld,
) -> None:
    async with running(queue_world.settings) as link:
        worker = queue_world.worker(batch_jobs_max=1, reply_stream_messages_max=10)
        for _ in range(100):
            queue_world.admit(Request(reply_to=link.stream))
            batch = take(worker)
            answer = FinishedCommand(batch.commands[0].id, link.stream, {"code": 1})
            assert worker.finish(batch, [answer], time.time()) is not None

        assert 10 <= queue_world.redis.xlen(link.stream) < 40  # trimmed by whole nodes
        assert 0 < queue_world.redis.ttl(link.stream) <= 60


async def test_replies_already_read_are_not_read_again(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    async with running(quick_settings) as link:
        waiting = link.submit(admission(link))
        await eventually(lambda: bool(answer_all(queue_world)))
        await asyncio.wait_for(waiting, QUICKLY)

        reads = calls(queue_world, "xread")
        seconds = await eventually(lambda: calls(queue_world, "xread") >= reads + 3)

        assert seconds >= quick_settings.reply_block_seconds  # it waits for news in between


async def soon(link: Link, request: Any) -> Any:
    """What becomes of a request, well before its time is up."""
    return await asyncio.wait_for(link.submit(request), QUICKLY)


def calls(world: QueueWorld, command: str) -> int:
    """How often Redis received a command."""
    statistics: Any = world.redis.info("commandstats")
    return int(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"])
