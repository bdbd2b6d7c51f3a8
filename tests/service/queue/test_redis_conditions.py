"""Conditions of Redis: a gateway admits nothing where a nonce may be lost, and says why."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from redis import Redis

from broker.admission import Verdict
from broker.batches import Batches
from broker.cash import QueueUnavailable, book
from broker.conditions import UnfitRedis
from broker.link import Link
from broker.permissions import WORKER, require_fit
from broker.scripts import common_arguments, source
from models.commands import Deposit
from models.keys import Purpose
from settings import Settings
from tests.service.queue.link_world import admission, eventually, replica, running
from tests.service.support import keys
from tests.service.support.http import http_get
from tests.service.support.processes import common_environment, until
from tests.service.support.queue_world import QueueWorld, Request, set_back
from tests.service.support.world import World
from workers.surroundings import Surroundings

EVICTING = {"maxmemory": 50_000_000, "maxmemory-policy": "volatile-lru"}


@contextmanager
def configured(redis: Redis, **changed: Any) -> Iterator[None]:
    """The server runs with other settings for as long as this lasts."""
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    before = {name: redis.config_get(name)[name] or "" for name in names}
    for name, value in names.items():
        redis.config_set(name, value)
    try:
        yield
    finally:
        for name, value in reversed(before.items()):
            redis.config_set(name, value)


def evicting(world: QueueWorld) -> Any:
    """A server that may evict keys."""
    return configured(world.redis, maxmemory=50_000_000, maxmemory_policy="volatile-lru")


async def test_where_keys_can_be_evicted_nothing_is_admitted_and_the_gateway_says_why(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    with evicting(queue_world):
        link = Link(quick_settings)
        await link.start()
        await eventually(lambda: "volatile-lru" in link.trouble)

        assert not link.ready
        assert await link.submit(admission(link)) is Verdict.NOT_ADMITTED
        assert "Set maxmemory-policy to noeviction" in link.trouble

    await eventually(lambda: link.trouble == "")
    link.submit(admission(link))
    await eventually(lambda: len(queue_world.queued()) == 1)
    await link.stop()


async def test_a_policy_that_is_changed_while_a_gateway_runs_is_noticed(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    async with running(quick_settings) as link:
        queue_world.redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            await eventually(lambda: "allkeys-lru" in "".join(link.warnings))
            assert link.trouble == ""
            with configured(queue_world.redis, maxmemory=50_000_000):
                await eventually(lambda: "allkeys-lru" in link.trouble)
                assert not link.ready
        finally:
            queue_world.redis.config_set("maxmemory-policy", "noeviction")
        await eventually(lambda: link.trouble == "")


def test_after_keys_were_evicted_memory_begins_anew(queue_world: QueueWorld) -> None:
    """A captured pay-out was admitted again, and paid: its nonce was evicted."""
    redis = queue_world.redis
    remember(queue_world)
    captured = Request(stamp_ms=queue_world.now_ms() + 1)
    assert queue_world.admit(captured) == "A"
    until(lambda: queue_world.now_ms() > (captured.stamp_ms or 0))
    used = redis.info("memory")["used_memory"]
    with configured(redis, maxmemory=used + 500_000, maxmemory_policy="volatile-lru"):
        for number in range(300):
            redis.set(f"fill:{number}", bytes(10_000), ex=3600)
        until(lambda: not redis.exists(captured.nonce_key) or redis.delete(captured.nonce_key) > 0)
        assert redis.info("stats")["evicted_keys"] > 0
    redis.delete(*redis.keys("fill:*"))

    remember(queue_world)  # as a gateway does before it admits again

    assert queue_world.admit(replace(captured, token=secrets.token_hex(16))) == "F"
    assert queue_world.admit(Request()) == "A"


def remember(world: QueueWorld) -> None:
    """Note which server this is, and how much it evicted."""
    info = world.redis.info()
    common = common_arguments("bets")
    world.redis.eval(source("remember"), 0, *common, info["run_id"], info["evicted_keys"])


def test_after_a_clock_that_was_ahead_is_set_back_memory_begins_anew(
    queue_world: QueueWorld,
) -> None:
    """While it was ahead, nonces expired that are needed now."""
    remember(queue_world)
    captured = Request(stamp_ms=queue_world.now_ms() + 1)
    assert queue_world.admit(captured) == "A"
    until(lambda: queue_world.now_ms() > (captured.stamp_ms or 0))
    queue_world.redis.delete(captured.nonce_key)  # as it expired
    set_back(queue_world)
    ahead = int(queue_world.redis.hget("betcore:memory", "latest") or 0)

    assert queue_world.admit(replace(captured, token=secrets.token_hex(16))) == "F"

    assert queue_world.admit(Request()) == "A"
    assert int(queue_world.redis.hget("betcore:memory", "latest") or 0) < ahead


async def test_a_replica_and_a_user_without_rights_are_named(
    queue_world: QueueWorld, quick_settings: Settings
) -> None:
    redis = queue_world.redis
    url = queue_world.url.replace("unix://", "unix://limited:secret@")
    rights = ["~rq:*", "~betcore:*", "&betcore:*", "+@all"]

    async def trouble(about: str, *changed: str) -> str:
        redis.execute_command(
            "ACL", "SETUSER", "limited", "reset", "on", ">secret", *rights, *changed
        )  # type: ignore[no-untyped-call]
        link = Link(quick_settings.model_copy(update={"redis_url": url}))
        await link.start()
        await eventually(lambda: about in link.trouble)
        await link.stop()
        return link.trouble

    for right in ("evalsha", "eval", "script|load", "info", "hset", "xread", "lset"):
        assert "docs/OPERATIONS.md" in await trouble(f"'{right}'", f"-{right}")
    assert "'zadd'" in await trouble("ZADD on betcore:*", "-zadd")
    assert "channel" in await trouble("PUBLISH on betcore:*", "resetchannels")
    assert "rq:*" in await trouble("SET on rq:*", "resetkeys", "~betcore:*")
    redis.execute_command("ACL", "SETUSER", "limited", *rights, "-lmpop")  # type: ignore[no-untyped-call]
    limited = Redis.from_url(url)
    with pytest.raises(UnfitRedis, match="LMPOP on betcore"):
        require_fit(limited, "bets", WORKER)
    limited.close()
    redis.execute_command("ACL", "DELUSER", "limited")  # type: ignore[no-untyped-call]
    with replica(queue_world):
        link = Link(quick_settings)
        await link.start()
        await eventually(lambda: "a replica and takes no writes" in link.trouble)
        await link.stop()


def test_a_worker_that_runs_says_what_is_wrong_and_goes_on(
    queue_world: QueueWorld, caplog: pytest.LogCaptureFixture
) -> None:
    batches = Batches(queue_world.redis, queue_world.settings, "worker", "rq:worker:worker")
    surroundings = Surroundings(queue_world.redis, batches, "bets")
    with evicting(queue_world):
        surroundings.look()
        surroundings.look()

    assert [
        record.getMessage() for record in caplog.records if "volatile-lru" in record.message
    ] == [record.getMessage() for record in caplog.records[:1]]


def test_each_process_refuses_a_redis_that_may_evict_and_the_gateway_is_not_ready(
    own_world: World,
) -> None:
    gateway, worker = own_world.gateway(), own_world.worker()
    player = own_world.open_session(own_world.provider(gateway), "100")
    assert player.pay_in_out(1).status == 200
    with configured(own_world.redis, **{k.replace("-", "_"): v for k, v in EVICTING.items()}):
        until(lambda: http_get(f"{gateway.url}/readyz").status_code == 503)
        said = http_get(f"{gateway.url}/readyz").json()
        refused = player.pay_in_out(1, betId="while keys can be evicted")
        started = subprocess.run(
            [sys.executable, "-m", "ops.cli", "worker"],
            env=os.environ | common_environment(own_world.urls, "worker"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        urls = {"database_url": own_world.urls.database, "redis_url": own_world.urls.redis}
        key = {"operator_key": keys.HEX[Purpose.OPERATOR]}
        deposit = Deposit(player.account_id, "r", Decimal(1))
        with pytest.raises(QueueUnavailable, match="maxmemory-policy volatile-lru"):
            book(Settings().model_copy(update=urls | key), [deposit])

    assert said["error"] == "try_later"
    assert "maxmemory-policy volatile-lru, maxmemory 47.68 MB" in said["message"]
    assert (refused.status, refused.code) == (503, 99)
    assert started.returncode == 1
    assert "betcore: Redis may evict keys (maxmemory-policy volatile-lru" in started.stderr
    assert "Traceback" not in started.stderr
    until(lambda: http_get(f"{gateway.url}/readyz").status_code == 200)
    assert player.pay_in_out(1).status == 200
    assert "volatile-lru" in gateway.output
    assert worker.alive
