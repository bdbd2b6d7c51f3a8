"""The cost of a batch: its round trips are counted, because batches exist to save them."""

import secrets
import time
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

from redis.client import Monitor

from broker.codec import encode_command
from broker.keys import reply_stream
from broker.scripts import source
from models.commands import Deposit
from tests.service.support import keys
from tests.service.support.faults import frozen
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld, Request
from tests.service.support.world import World

BATCH = 32
ENOUGH = "the test has seen enough"
#: Not of a batch: a state shown, and what is due every few seconds, jobs or none.
NOW_AND_THEN = {"renew", "sweep", "HSET", "HMGET", "HEXISTS", "EXPIRE", "EXISTS", "SMEMBERS"}


def test_a_batch_costs_a_worker_one_call_of_redis_and_one_commit(own_world: World) -> None:
    # An idle worker looks around as often as it sweeps: here, not while the test looks.
    worker = own_world.worker(BETCORE_BATCH_JOBS_MAX=str(BATCH), BETCORE_SWEEP_SECONDS="4")
    accounts = [own_world.open_session(own_world.provider()).account_id for _ in range(3)]
    deposits = [
        [Deposit(account, secrets.token_hex(8), Decimal(1)) for _ in range(BATCH)]
        for account in accounts
    ]

    with QueueWorld(own_world.urls.redis, flush=False) as queue:
        assert queue.admit(ordered(Deposit(accounts[0], "first", Decimal(1)))) == "A"
        until(lambda: queue.under_way() == set())  # Redis has learned the scripts
        until(lambda: _worker_waits(queue))
        with queue.redis.monitor() as seen:  # type: ignore[no-untyped-call]
            with frozen(worker.pid):
                for of_player in deposits:  # a group for each
                    assert queue.admit(*map(ordered, of_player)) == "A" * BATCH
            until(lambda: queue.under_way() == set())
            until(lambda: _worker_waits(queue))
            queue.redis.echo(ENOUGH)
            calls = Counter(_scripts_and_waits(queue, seen))

    # The first batch is handed over. One call finishes each batch, takes the next one too, and at
    # last leaves an offer.
    assert calls == {"finish": 3}
    transactions = own_world.rows(
        "select count(*) from transfer where reference = any(%s) group by xmin::text",
        [deposit.reference for of_player in deposits for deposit in of_player],
    )
    assert transactions == [(BATCH,)] * 3


def ordered(deposit: Deposit) -> Request:
    """A deposit as an operator's command admits it."""
    to, request = reply_stream("a gateway"), Request(deposit.account_id)
    order = keys.ORDERS.sign(deposit, request.command_id, to, time.time())
    return replace(request, payload=encode_command(deposit, request.token, to, order))


def _worker_waits(queue: QueueWorld) -> bool:
    clients: list[dict[str, Any]] = queue.redis.client_list()
    return any(client["cmd"] == "subscribe" for client in clients) and bool(queue.offers())


def _scripts_and_waits(queue: QueueWorld, seen: Monitor) -> list[str]:
    """What was called from the admission to the mark, without what is not of a batch.

    The test's own questions are left out too: it asks with commands that no worker uses.
    """
    scripts = {
        queue.redis.script_load(source(name)): name
        for name in ("admit", "take", "finish", "renew", "sweep")
    }
    called: list[str] = []
    while ENOUGH not in (line := seen.next_command())["command"]:  # type: ignore[no-untyped-call]
        if line["client_type"] != "lua":
            command, *rest = line["command"].split(" ", 2)
            called.append(scripts[rest[0]] if command == "EVALSHA" else command)
    own = {"admit", "KEYS", "CLIENT", "SCRIPT", "TIME", "HELLO", "LRANGE"}
    since_admission = called[called.index("admit") :]
    return [name for name in since_admission if name not in own | NOW_AND_THEN]
