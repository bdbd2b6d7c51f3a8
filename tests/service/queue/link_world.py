"""A gateway's link on a Redis of the test's own: what it submits, and when it is ready."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

from broker.admission import NO_SIGNATURE, Admission, NewCommand, NonceClaim
from broker.codec import Work, encode_command
from broker.ended import FinishedCommand
from broker.keys import command_id
from broker.link import Link
from models.commands import Deposit
from models.deadline import Deadline
from settings import Settings
from tests.service.support.patience import SOON
from tests.service.support.processes import until
from tests.service.support.proxy import Fate, Proxy
from tests.service.support.queue_world import QueueWorld, take

#: Short enough for tests, long enough for a slow machine.
QUICK = {
    "redis_connect_within_seconds": 1.0,
    "redis_patience_seconds": 0.4,
    "reply_block_seconds": 0.3,
    "queue_wait_max_seconds": 3600.0,  # a busy machine is no overload
}


@asynccontextmanager
async def running(settings: Settings, redis_url: str = "") -> AsyncIterator[Link]:
    """A link that is ready; `redis_url` when it should go another way than `settings` say."""
    link = Link(settings.model_copy(update={"redis_url": redis_url} if redis_url else {}))
    await link.start()
    try:
        await eventually(lambda: link.ready)
        yield link
    finally:
        await link.stop()


def admission(link: Link, account: int | None = 7, **fields: Any) -> Admission:
    """A request to deposit on that account, None: only a nonce's claim; 30 s to apply and answer.

    `apply_within`, `answer_within`: seconds; other fields are those of Admission and NonceClaim.
    """
    now_ms = int(time.time() * 1000)
    token = secrets.token_hex(16)
    command = None if account is None else _deposit(link, account, token)
    within = (fields.pop("apply_within", 30), fields.pop("answer_within", 30))
    claim = NonceClaim(
        fields.pop("nonce_key", f"betcore:nonce:1:{secrets.token_hex(16)}"),
        expires_ms=now_ms + 60_000,
        stamp_ms=fields.pop("stamp_ms", now_ms + 1000),  # after an empty Redis began to remember
        signature=fields.pop("signature", NO_SIGNATURE),
    )
    apply_by, answer_by = map(Deadline.within, within)
    return Admission(
        claim, apply_by=apply_by, answer_by=answer_by, command=command, token=token, **fields
    )


def _deposit(link: Link, account: int, token: str) -> NewCommand:
    """A deposit whose result goes to that link."""
    deposit = Deposit(account, secrets.token_hex(8), Decimal(1))
    return NewCommand(account, "deposit", "", encode_command(deposit, token, link.stream))


def answer_all(world: QueueWorld, *, failing: bool = False) -> list[str]:
    """Take and finish whatever is under way, as a worker. Returns the ids of the commands.

    Each result names its command.
    """
    worker = world.worker("answering", batch_jobs_max=1000)
    answered: list[str] = []
    while (batch := take(worker)).jobs:
        ends = []
        for command in batch.commands:
            assert isinstance(command.work, Work)
            result = None if failing else result_of(command.id)
            ends.append(FinishedCommand(command.id, command.work.reply_to, result))
        assert worker.finish(batch, ends, time.time()) is not None
        answered += [command.id for command in batch.commands]
    return answered


def result_of(command_id: str) -> dict[str, object]:
    """What `answer_all` answers to a command."""
    return {"code": 1, "balance": "9", "ids": [command_id]}


def id_of(admitted: Admission) -> str:
    """The id of the command that a request becomes."""
    assert admitted.command is not None
    return command_id(admitted.command.account_id, admitted.token)


async def eventually(holds: Callable[[], bool], seconds: float = SOON) -> float:
    """Let the loop run until a condition holds; the seconds it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not holds():
        assert loop.time() - began < seconds, "it did not come true"
        await asyncio.sleep(0.005)
    return loop.time() - began


@contextmanager
def replica(world: QueueWorld) -> Iterator[None]:
    """The Redis is a replica, which takes no writes, for as long as this lasts."""
    world.redis.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        world.redis.replicaof("NO", "ONE")
        until(lambda: bool(world.redis.info("replication")["role"] == "master"))


def url_of(proxy: Proxy) -> str:
    """The URL of Redis through the proxy."""
    return f"unix://{proxy.socket}?db=0"


def lose_admissions(message: bytes, from_client: bool) -> Fate:
    """Admissions go nowhere."""
    return Fate.SWALLOW if from_client and b"EVALSHA" in message else Fate.PASS


def lose_answers(message: bytes, from_client: bool) -> Fate:
    """The answers to admissions go nowhere: each is a list of one letter, and a number."""
    is_answer = not from_client and message.startswith(b"*2\r\n*1\r\n$1\r\n")
    return Fate.SWALLOW if is_answer else Fate.PASS


def cut_at_admissions(message: bytes, from_client: bool) -> Fate:
    """All connections end when an admission has arrived, before it is answered."""
    return Fate.CUT if from_client and b"EVALSHA" in message else Fate.PASS


def lose_replies(message: bytes, from_client: bool) -> Fate:
    """Results go nowhere."""
    return Fate.SWALLOW if not from_client and b"betcore:replies:" in message else Fate.PASS
