"""A gateway's link when Redis itself is away, silent, frozen, or takes no writes."""

import asyncio
import os
import signal
from typing import Any

from broker.admission import Verdict
from broker.link import Link
from settings import Settings
from tests.service.queue.link_world import (
    admission,
    answer_all,
    eventually,
    id_of,
    replica,
    result_of,
    running,
    url_of,
)
from tests.service.support.proxy import Fate, Proxy, let_pass
from tests.service.support.queue_world import QueueWorld

SOON = 5.0


async def test_a_redis_that_is_not_there_yet_is_waited_for(
    quick_settings: Settings, redis_proxy: Proxy
) -> None:
    redis_proxy.refuses = True
    link = Link(quick_settings.model_copy(update={"redis_url": url_of(redis_proxy)}))
    await link.start()
    try:
        assert await link.submit(admission(link)) is Verdict.NOT_ADMITTED
        redis_proxy.refuses = False

        await eventually(lambda: link.ready)
    finally:
        await link.stop()


async def test_a_redis_that_accepts_connections_but_never_answers_is_tried_again(
    quick_settings: Settings, redis_proxy: Proxy
) -> None:
    redis_proxy.judge = silent
    link = Link(quick_settings.model_copy(update={"redis_url": url_of(redis_proxy)}))
    await link.start()
    try:
        await eventually(lambda: link._replies.listening)  # connected, and waits for a greeting
        assert not link.ready
        redis_proxy.judge = let_pass

        await eventually(lambda: link.ready)
    finally:
        await link.stop()


async def test_a_result_comes_by_another_connection_when_that_of_the_results_falls_silent(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        request, swallowed = admission(link), asyncio.Event()
        loop = asyncio.get_running_loop()

        def swallow_one_reply(message: bytes, from_client: bool) -> Fate:
            if from_client or link.stream.encode() not in message or swallowed.is_set():
                return Fate.PASS
            loop.call_soon_threadsafe(swallowed.set)
            return Fate.SWALLOW

        redis_proxy.judge = swallow_one_reply
        waiting = link.submit(request)
        await eventually(lambda: request.admitted)
        answer_all(queue_world)
        await asyncio.wait_for(swallowed.wait(), SOON)

        assert await asyncio.wait_for(waiting, SOON) == result_of(id_of(request))


async def test_after_script_flush_the_same_requests_are_admitted_once(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    async with running(quick_settings) as link:
        queue_world.redis.script_flush()
        requests = [admission(link) for _ in range(70)]  # two scripts
        waiting = [link.submit(request) for request in requests]

        await eventually(lambda: len(queue_world.under_way_of(7)) == 70)

        assert queue_world.under_way_of(7) == [id_of(request) for request in requests]
        await eventually(lambda: link.ready)
        answer_all(queue_world)
        await asyncio.wait_for(asyncio.gather(*waiting), SOON)


async def test_a_request_that_redis_did_not_know_how_to_run_was_not_admitted(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        queue_world.redis.script_flush()
        redis_proxy.judge = cut_at_noscript

        verdict = await link.submit(admission(link, answer_within=0.5))

        assert verdict is Verdict.NOT_ADMITTED
        assert queue_world.queued() == []


async def test_a_redis_that_takes_no_writes_admitted_nothing_and_says_so(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    redis = queue_world.redis
    async with running(quick_settings) as link:
        redis.config_set("maxmemory", 1)
        try:
            full = await asyncio.wait_for(link.submit(admission(link)), SOON)
        finally:
            redis.config_set("maxmemory", 0)
        await eventually(lambda: link.ready)
        with replica(queue_world):
            read_only = await asyncio.wait_for(link.submit(admission(link)), SOON)

        assert (full, read_only) == (Verdict.NOT_ADMITTED, Verdict.NOT_ADMITTED)
        await eventually(lambda: link.ready)
        link.submit(admission(link))
        await eventually(lambda: len(queue_world.queued()) == 1)


async def test_a_frozen_redis_is_unknown_in_time_and_used_again_when_it_thaws(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    server: Any = queue_world.redis.info("server")
    loop = asyncio.get_running_loop()
    async with running(quick_settings) as link:
        os.kill(server["process_id"], signal.SIGSTOP)
        try:
            began = loop.time()
            sent = link.submit(admission(link, apply_within=1.5, answer_within=1.5))
            await eventually(lambda: not link.ready, quick_settings.redis_patience_seconds + SOON)
            assert loop.time() - began < 1.5
            at_once = loop.time()
            assert await link.submit(admission(link)) is Verdict.NOT_ADMITTED
            assert loop.time() - at_once < 0.1
            assert await sent is Verdict.UNKNOWN
            assert 1.5 <= loop.time() - began < 2.5
        finally:
            os.kill(server["process_id"], signal.SIGCONT)

        await eventually(lambda: link.ready)
        after = admission(link, account=8)
        waiting = link.submit(after)
        await eventually(lambda: id_of(after) in queue_world.queued())
        answer_all(queue_world)
        assert await asyncio.wait_for(waiting, SOON) == result_of(id_of(after))


async def test_nobody_waits_for_what_a_redis_that_lost_everything_had_admitted(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        lost = link.submit(admission(link))
        await eventually(lambda: len(queue_world.queued()) == 1)
        queue_world.redis.flushall()
        redis_proxy.cut()

        assert await asyncio.wait_for(lost, SOON) is Verdict.UNKNOWN

        await eventually(lambda: link.ready)
        after = admission(link)
        waiting = link.submit(after)
        await eventually(lambda: queue_world.queued() == [id_of(after)])
        answer_all(queue_world)
        assert await asyncio.wait_for(waiting, SOON) == result_of(id_of(after))


async def test_what_a_redis_that_kept_its_data_had_admitted_is_waited_for(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        kept = admission(link)
        waiting = link.submit(kept)
        await eventually(lambda: len(queue_world.queued()) == 1)
        queue_world.redis.hset("betcore:memory", "run_id", "the one before")  # it was restarted
        redis_proxy.cut()
        await eventually(lambda: not link.ready)
        await eventually(lambda: link.ready)

        assert not waiting.done()
        answer_all(queue_world)

        assert await asyncio.wait_for(waiting, SOON) == result_of(id_of(kept))


def silent(message: bytes, from_client: bool) -> Fate:  # noqa: ARG001 - a Judge
    """Redis says nothing."""
    return Fate.PASS if from_client else Fate.SWALLOW


def cut_at_noscript(message: bytes, from_client: bool) -> Fate:
    """All connections end when Redis does not know a script."""
    return Fate.CUT if not from_client and message.startswith(b"-NOSCRIPT") else Fate.PASS
