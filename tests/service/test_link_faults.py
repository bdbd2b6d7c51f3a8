"""A gateway's link to Redis when something breaks between them: nothing twice, nothing unsaid."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from broker.admission import Verdict
from broker.link import Link
from settings import Settings
from tests.service.embedded_world import socket_of
from tests.service.link_world import (
    QUICK,
    admission,
    answer_all,
    cut_at_admissions,
    eventually,
    job_id,
    lose_admissions,
    lose_answers,
    lose_replies,
    replica,
    result_of,
    running,
    url_of,
)
from tests.service.proxy import Proxy, let_pass
from tests.service.queue_world import QueueWorld

SOON = 5.0


@pytest.fixture
def settings(queue_world: QueueWorld) -> Settings:
    """Settings that make waiting short."""
    return queue_world.settings.model_copy(update=QUICK)


@pytest.fixture
def proxy(queue_world: QueueWorld) -> Iterator[Proxy]:
    """A proxy before the Redis."""
    with Proxy(socket_of(queue_world.url)) as started:
        yield started


async def test_a_connection_killed_between_sending_and_answer_admits_each_request_once(
    queue_world: QueueWorld, settings: Settings
) -> None:
    async with running(settings) as link:
        requests = [admission(link) for _ in range(20)]
        waiting = []
        for request in requests:
            await eventually(lambda: link.ready)
            waiting.append(link.submit(request))
            await asyncio.sleep(0)  # the end of the tick, at which the script is sent
            queue_world.redis.client_kill_filter(_type="normal")

        await eventually(lambda: len(queue_world.lane(7)) == 20)
        await eventually(lambda: link.ready)
        answer_all(queue_world)

        results = await asyncio.wait_for(asyncio.gather(*waiting), SOON)
        assert results == [result_of(job_id(request)) for request in requests]
        assert queue_world.under_way() == set()


async def test_an_admission_whose_answer_was_lost_is_sent_again_and_is_one_job(
    queue_world: QueueWorld, settings: Settings, proxy: Proxy
) -> None:
    async with running(settings, url_of(proxy)) as link:
        proxy.judge = lose_answers
        request = admission(link)
        waiting = link.submit(request)
        await eventually(lambda: bool(queue_world.queued()))
        assert not waiting.done()
        proxy.judge = let_pass

        await eventually(lambda: link.ready)
        await eventually(lambda: request.unanswered)
        answer_all(queue_world)

        assert await asyncio.wait_for(waiting, SOON) == result_of(job_id(request))
        assert queue_world.queued() == []


async def test_scripts_that_never_arrived_are_sent_again_in_their_order(
    queue_world: QueueWorld, settings: Settings, proxy: Proxy
) -> None:
    async with running(settings, url_of(proxy)) as link:
        proxy.judge = lose_admissions
        requests = [admission(link) for _ in range(5)]
        for request in requests:
            link.submit(request)
            await asyncio.sleep(0)  # the end of the tick: a script for each
        assert queue_world.lane(7) == []
        proxy.judge = let_pass

        await eventually(lambda: len(queue_world.lane(7)) == 5)

        assert queue_world.lane(7) == [job_id(request) for request in requests]


async def test_results_sent_while_the_link_did_not_listen_are_not_lost(
    queue_world: QueueWorld, settings: Settings, proxy: Proxy
) -> None:
    async with running(settings, url_of(proxy)) as link:
        requests = [admission(link, account=number) for number in range(3)]
        waiting = [link.submit(request) for request in requests]
        await eventually(lambda: len(queue_world.queued()) == 3)

        proxy.refuses = True
        queue_world.redis.client_kill_filter(_type="normal")
        await eventually(lambda: not link.ready)
        answer_all(queue_world)
        proxy.refuses = False

        results = await asyncio.wait_for(asyncio.gather(*waiting), SOON)
        assert results == [result_of(job_id(request)) for request in requests]


async def test_a_listener_that_hears_nothing_any_more_notices_and_loses_no_result(
    queue_world: QueueWorld, settings: Settings, proxy: Proxy
) -> None:
    async with running(settings, url_of(proxy)) as link:
        request = admission(link)
        waiting = link.submit(request)
        await eventually(lambda: bool(queue_world.queued()))

        proxy.judge = lose_replies
        answer_all(queue_world)
        done, _ = await asyncio.wait([waiting], timeout=settings.redis_patience_seconds / 2)
        assert not done
        proxy.judge = let_pass

        assert await asyncio.wait_for(waiting, SOON) == result_of(job_id(request))


async def test_after_script_flush_the_same_requests_are_admitted_once(
    queue_world: QueueWorld, settings: Settings
) -> None:
    async with running(settings) as link:
        queue_world.redis.script_flush()
        requests = [admission(link) for _ in range(70)]  # two scripts
        waiting = [link.submit(request) for request in requests]

        await eventually(lambda: len(queue_world.lane(7)) == 70)

        assert queue_world.lane(7) == [job_id(request) for request in requests]
        await eventually(lambda: link.ready)
        answer_all(queue_world)
        await asyncio.wait_for(asyncio.gather(*waiting), SOON)


async def test_a_redis_that_takes_no_writes_admitted_nothing_and_says_so(
    queue_world: QueueWorld, settings: Settings
) -> None:
    redis = queue_world.redis
    async with running(settings) as link:
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


async def test_a_refusal_says_nothing_of_an_admission_whose_answer_was_lost(
    queue_world: QueueWorld, settings: Settings, proxy: Proxy
) -> None:
    async with running(settings, url_of(proxy)) as link:
        proxy.judge = cut_at_admissions
        request = admission(link, stamp_ms=int(time.time() * 1000))
        waiting = link.submit(request)
        await eventually(lambda: proxy.refuses)
        assert answer_all(queue_world) == [job_id(request)]  # it was admitted, and applied
        queue_world.redis.flushall()  # and nothing of it is left, as after a failover

        proxy.judge, proxy.refuses = let_pass, False

        assert await asyncio.wait_for(waiting, SOON) is Verdict.UNKNOWN
        assert queue_world.queued() == []


async def test_a_primary_that_became_a_replica_says_nothing_of_a_lost_answer_either(
    queue_world: QueueWorld, settings: Settings, proxy: Proxy
) -> None:
    async with running(settings, url_of(proxy)) as link:
        proxy.judge = cut_at_admissions
        waiting = link.submit(admission(link))
        await eventually(lambda: proxy.refuses)
        assert len(queue_world.queued()) == 1
        with replica(queue_world):
            proxy.judge, proxy.refuses = let_pass, False

            assert await asyncio.wait_for(waiting, SOON) is Verdict.UNKNOWN


async def test_a_frozen_redis_is_unknown_in_time_and_used_again_when_it_thaws(
    queue_world: QueueWorld, settings: Settings
) -> None:
    server: Any = queue_world.redis.info("server")
    loop = asyncio.get_running_loop()
    async with running(settings) as link:
        os.kill(server["process_id"], signal.SIGSTOP)
        try:
            began = loop.time()
            sent = link.submit(admission(link, apply_within=1.5, answer_within=1.5))
            await eventually(lambda: not link.ready, settings.redis_patience_seconds + SOON)
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
        await eventually(lambda: job_id(after) in queue_world.queued())
        answer_all(queue_world)
        assert await asyncio.wait_for(waiting, SOON) == result_of(job_id(after))


async def test_a_redis_that_is_not_there_yet_is_waited_for(
    settings: Settings, proxy: Proxy
) -> None:
    proxy.refuses = True
    link = Link(settings.model_copy(update={"redis_url": url_of(proxy)}))
    await link.start()
    try:
        assert await link.submit(admission(link)) is Verdict.NOT_ADMITTED
        proxy.refuses = False

        await eventually(lambda: link.ready)
    finally:
        await link.stop()
