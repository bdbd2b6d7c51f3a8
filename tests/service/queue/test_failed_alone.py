"""Commands that fail although others of their job do not: each becomes a failed job of its own."""

import json
import sys
import time
from dataclasses import replace
from decimal import Decimal

import pytest

from broker.codec import BadJob, decode_job, encode_command
from broker.rq_queue import RqQueue
from models.commands import Command, Deposit, PayInOut
from tests.service.support.queue_world import (
    QueueWorld,
    Request,
    ended,
    finish,
    ids,
    take,
)

BET = PayInOut(1, "a session", 8, "a bet", stake=Decimal(1), win=Decimal(2))

#: What a bug or a hand in Redis may put on the queue, and no gateway. No worker can read it.
UNREADABLE: dict[str, Command] = {
    "half a character": replace(BET, bet_id="a\ud800", session_id="\udfff", player="\ud800"),
    "no numbers": replace(BET, stake=Decimal("NaN"), win=Decimal("Infinity")),
    "a reference of controls": Deposit(8, "\0\r\n\x1b", Decimal(-5)),
}


def in_ascii(command: Command, token: str) -> str:
    """A command as a job may carry it: JSON can name half a character, and UTF-8 cannot."""
    return json.dumps(json.loads(encode_command(command, token, "")))


def test_a_command_that_fails_alone_is_a_failed_job_which_can_be_requeued(
    queue_world: QueueWorld,
) -> None:
    _, bad, _ = queue_world.admit_together(7, 8, 8)
    [group] = queue_world.queued()
    worker = queue_world.worker()
    batch = take(worker)

    assert finish(worker, batch, failing=[bad])

    assert queue_world.status(group) == "finished"
    assert (queue_world.failed(), queue_world.under_way()) == ({bad}, set())
    RqQueue(queue_world.redis, "bets").requeue(bad)
    again = take(worker)
    assert ids(again) == [bad]
    assert again.commands[0].work == batch.commands[1].work
    assert finish(worker, again)
    assert (queue_world.status(bad), queue_world.failed()) == ("finished", set())
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("which", UNREADABLE)
def test_a_command_that_no_worker_can_read_fails_alone_as_it_was(
    queue_world: QueueWorld, which: str
) -> None:
    good, bad = Request(7), Request(8)
    bad = replace(bad, payload=in_ascii(UNREADABLE[which], bad.token))
    worker = queue_world.worker()
    assert queue_world.admit(good, bad) == "AA"
    [group] = queue_world.queued()
    batch = take(worker)
    [_, unread] = batch.commands
    assert isinstance(unread.work, BadJob)

    assert finish(worker, batch, failing=[unread.id])

    assert queue_world.status(group) == "finished"
    assert (queue_world.failed(), queue_world.under_way()) == ({unread.id}, set())
    data = queue_world.redis.hget(f"rq:job:{unread.id}", "data") or b""
    assert decode_job(bytes(data)) == [unread.form]  # type: ignore[arg-type]  # bytes as we connect


def test_a_command_that_nests_too_deep_fails_alone(queue_world: QueueWorld) -> None:
    """As deep as can just be read, it cannot be written any more."""
    worker = queue_world.worker()
    for depth in range(sys.getrecursionlimit(), 0, -1):
        good, bad = Request(7), Request(8)
        nested = "[" * depth + "]" * depth
        assert queue_world.admit(good, replace(bad, payload=nested)) == "AA"
        batch = take(worker)

        assert finish(worker, batch, failing=[batch.commands[-1].id])

        if depth < sys.getrecursionlimit() - 200 and len(batch.commands) == 2:
            break  # well below what can just be read
    assert queue_world.under_way() == set()


def test_the_text_of_a_failure_may_hold_half_a_character(queue_world: QueueWorld) -> None:
    [only] = queue_world.admit_one_by_one(7, 1)
    worker = queue_world.worker()
    batch = take(worker)
    why = replace(ended(only, failing=True), failure="it holds \ud800")

    assert worker.finish(batch, [why], time.time()) is not None

    assert queue_world.failed() == {only}
    assert queue_world.under_way() == set()
