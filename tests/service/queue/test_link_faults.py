"""A gateway's link when the connection fails: nothing is done twice, every request is answered."""

import asyncio
import time

from broker.admission import Verdict
from settings import Settings
from tests.service.queue.link_world import (
    admission,
    answer_all,
    cut_at_admissions,
    eventually,
    id_of,
    lose_admissions,
    lose_answers,
    lose_replies,
    replica,
    result_of,
    running,
    url_of,
)
from tests.service.support.proxy import Proxy, let_pass
from tests.service.support.queue_world import QueueWorld

SOON = 5.0


async def test_a_connection_killed_between_sending_and_answer_admits_each_request_once(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    async with running(quick_settings) as link:
        requests = [admission(link) for _ in range(20)]
        waiting = []
        for request in requests:
            await eventually(lambda: link.ready)
            waiting.append(link.submit(request))
            await asyncio.sleep(0)  # the end of the tick, at which the script is sent
            queue_world.redis.client_kill_filter(_type="normal")

        await eventually(lambda: len(queue_world.under_way_of(7)) == 20)
        await eventually(lambda: link.ready)
        answer_all(queue_world)

        results = await asyncio.wait_for(asyncio.gather(*waiting), SOON)
        assert results == [result_of(id_of(request)) for request in requests]
        assert queue_world.under_way() == set()


async def test_an_admission_whose_answer_was_lost_is_sent_again_and_is_one_command(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        redis_proxy.judge = lose_answers
        request = admission(link)
        waiting = link.submit(request)
        await eventually(lambda: bool(queue_world.queued()))
        assert not waiting.done()
        redis_proxy.judge = let_pass

        await eventually(lambda: link.ready)
        await eventually(lambda: request.unanswered)
        answer_all(queue_world)

        assert await asyncio.wait_for(waiting, SOON) == result_of(id_of(request))
        assert queue_world.queued() == []


async def test_scripts_that_never_arrived_are_sent_again_in_their_order(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        redis_proxy.judge = lose_admissions
        requests = [admission(link) for _ in range(5)]
        for request in requests:
            link.submit(request)
            await asyncio.sleep(0)  # the end of the tick: a script for each
        assert queue_world.under_way_of(7) == []
        redis_proxy.judge = let_pass

        await eventually(lambda: len(queue_world.under_way_of(7)) == 5)

        assert queue_world.under_way_of(7) == [id_of(request) for request in requests]


async def test_results_sent_while_the_link_did_not_listen_are_not_lost(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        requests = [admission(link, account=number) for number in range(3)]
        waiting = [link.submit(request) for request in requests]
        await eventually(lambda: len(queue_world.queued_commands()) == 3)

        redis_proxy.refuses = True
        queue_world.redis.client_kill_filter(_type="normal")
        await eventually(lambda: not link.ready)
        answer_all(queue_world)
        redis_proxy.refuses = False

        results = await asyncio.wait_for(asyncio.gather(*waiting), SOON)
        assert results == [result_of(id_of(request)) for request in requests]


async def test_a_listener_that_hears_nothing_any_more_notices_and_loses_no_result(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        request = admission(link)
        waiting = link.submit(request)
        await eventually(lambda: bool(queue_world.queued()))

        redis_proxy.judge = lose_replies
        answer_all(queue_world)
        done, _ = await asyncio.wait([waiting], timeout=quick_settings.redis_patience_seconds / 2)
        assert not done
        redis_proxy.judge = let_pass

        assert await asyncio.wait_for(waiting, SOON) == result_of(id_of(request))


async def test_a_refusal_says_nothing_of_an_admission_whose_answer_was_lost(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        redis_proxy.judge = cut_at_admissions
        request = admission(link, stamp_ms=int(time.time() * 1000))
        waiting = link.submit(request)
        await eventually(lambda: redis_proxy.refuses)
        assert answer_all(queue_world) == [id_of(request)]  # it was admitted, and applied
        queue_world.redis.flushall()  # and nothing of it is left, as after a failover

        redis_proxy.judge, redis_proxy.refuses = let_pass, False

        assert await asyncio.wait_for(waiting, SOON) is Verdict.UNKNOWN
        assert queue_world.queued() == []


async def test_a_primary_that_became_a_replica_says_nothing_of_a_lost_answer_either(
    queue_world: QueueWorld, quick_settings: Settings, redis_proxy: Proxy
) -> None:
    async with running(quick_settings, url_of(redis_proxy)) as link:
        redis_proxy.judge = cut_at_admissions
        waiting = link.submit(admission(link))
        await eventually(lambda: redis_proxy.refuses)
        assert len(queue_world.queued()) == 1
        with replica(queue_world):
            redis_proxy.judge, redis_proxy.refuses = let_pass, False

            assert await asyncio.wait_for(waiting, SOON) is Verdict.UNKNOWN
