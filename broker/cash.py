"""Deposits and withdrawals by operators. They go through the queue, as all money does.

Many can be in flight at once. A command opens a link to the queue for its work (`book`). A process
that goes on keeps one (`Cashier`).
"""

import asyncio
import time
from collections.abc import Sequence

import redis

from broker.admission import Admission, NewCommand, NonceClaim, Result, Verdict, new_token
from broker.codec import call_of, describe, encode_command
from broker.conditions import UnfitRedis
from broker.keys import OURS, command_id
from broker.link import Link
from broker.orders import Orders
from broker.permissions import GATEWAY, require_fit
from broker.redis_url import BadRedisUrl, connect_redis, no_retry
from models.codes import Code
from models.commands import CashCommand
from models.deadline import COMMIT_GRACE_SECONDS, Deadline
from models.errors import BetcoreError
from models.keys import Purpose, require_ring
from models.money import plain
from settings import Settings

_IN_FLIGHT_MAX = 256
_WITHIN_SECONDS = 30.0  # of each command, unless the caller says otherwise
# An operator's order protects its job (broker/orders.py). Stamp and nonce protect nothing here. The
# stamp is ahead, so that the job is admitted even if our clock is somewhat behind Redis's.
_NONCE_SECONDS = 300
_AGAIN_AFTER_SECONDS = 0.1
_FAILURES_MAX = 3  # per command, in workers that answered

_UNAVAILABLE = {
    Verdict.SUSPENDED: ("The queue is suspended: run `betcore queue resume`. Then repeat this."),
    Verdict.FORGOTTEN: (
        f"The clock here is {_NONCE_SECONDS // 60} minutes or more behind that of Redis: set it."
    ),
}


class CashError(BetcoreError):
    """The money was not confirmed to have moved.

    It is safe to repeat the command with the same reference.
    """


class ReferenceConflict(CashError):  # noqa: N818
    """Another deposit or withdrawal already has the reference."""


class InsufficientFunds(CashError):  # noqa: N818
    """The account does not hold the amount to withdraw. Nothing is recorded."""

    balance = ""  # as a decimal string


class OrderRefused(CashError):  # noqa: N818
    """A worker does not accept this as an operator's order."""


class NoAnswer(CashError):  # noqa: N818
    """No worker answered in time. The money may still move."""


class QueueUnavailable(CashError):  # noqa: N818
    """The queue accepts no jobs at the moment."""


def book(
    settings: Settings, commands: Sequence[CashCommand], within_seconds: float = _WITHIN_SECONDS
) -> list[Result]:
    """Make deposits and withdrawals, each once per reference.

    Returns the workers' answers in order, each with code 1. `within_seconds` is the time limit of
    each command. Until then, a command with an unknown outcome is tried again. Commands of one
    account may be applied in any order. Raises NoKey or BadKey without a readable operator key.
    Raises OrderRefused, QueueUnavailable, NoAnswer, ReferenceConflict, InsufficientFunds or
    CashError for the first failure. Others may have been applied by then. It is safe to repeat all
    of them.
    """
    if not commands:
        return []
    orders = Orders(require_ring(settings, Purpose.OPERATOR), settings)
    _require_redis(settings)
    return asyncio.run(_book_all(settings, orders, commands, within_seconds))


def _require_redis(settings: Settings) -> None:
    """Fail immediately with the reason if Redis cannot be used, instead of retrying."""
    seconds = settings.redis_patience_seconds
    try:
        with connect_redis(
            settings.redis_url,
            socket_connect_timeout=settings.redis_connect_within_seconds,
            socket_timeout=seconds,
            retry=no_retry(),
        ) as connection:
            require_fit(connection, settings.queue_name, GATEWAY)
    except UnfitRedis as error:
        raise QueueUnavailable(f"No money was moved: {error}") from error
    except (redis.RedisError, OSError) as error:
        raise QueueUnavailable(f"Redis cannot be used, no money was moved: {error}") from error
    except BadRedisUrl as error:
        raise QueueUnavailable(str(error)) from error


class Cashier:
    """Makes deposits and withdrawals over one link to the queue, which its owner keeps."""

    def __init__(self, settings: Settings, orders: Orders, link: Link) -> None:
        self._settings = settings
        self._orders = orders
        self._link = link

    async def book(self, command: CashCommand, within_seconds: float) -> Result:
        """Make one movement, as `book` makes several."""
        return await _book(self._link, self._settings, self._orders, command, within_seconds)


async def _book_all(
    settings: Settings, orders: Orders, commands: Sequence[CashCommand], within_seconds: float
) -> list[Result]:
    link = Link(settings)
    cashier = Cashier(settings, orders, link)
    results: list[Result] = [{}] * len(commands)
    waiting = iter(enumerate(commands))

    async def take_turns() -> None:
        for index, command in waiting:
            results[index] = await cashier.book(command, within_seconds)

    await link.start()
    in_flight = min(_IN_FLIGHT_MAX, len(commands))
    takers = [asyncio.create_task(take_turns()) for _ in range(in_flight)]
    try:
        await asyncio.gather(*takers)
    finally:
        for taker in takers:
            taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)
        await link.stop()
    return results


async def _book(
    link: Link, settings: Settings, orders: Orders, command: CashCommand, within_seconds: float
) -> Result:
    try:
        async with asyncio.timeout(within_seconds):
            result = await _until_known(link, settings, orders, command)
    except TimeoutError:
        why = "is a worker running?" if link.ready else "Redis went away."
        raise NoAnswer(
            f"No answer to {_named(command)} within {within_seconds:g} s: {why} It may still be "
            "applied: repeat it with the same reference (--reference); no money is moved twice."
        ) from None
    if "refused" in result:
        raise OrderRefused(
            f"A worker refused {_named(command)}: {result['refused']} Repeat it with the same"
            " reference (--reference) once that is fixed; no money is moved twice."
        )
    if result["code"] == Code.BET_CONFLICT:
        raise ReferenceConflict(
            f"The reference {command.reference!r} already stands for another deposit or "
            "withdrawal, of another account or amount. This one was not made: give it a reference "
            "of its own."
        )
    if result["code"] == Code.INSUFFICIENT_FUNDS:
        error = InsufficientFunds(
            f"The account holds {result['balance']}, which does not cover {_named(command)} of "
            f"{plain(command.amount)}: this moved nothing. To try again, use the same reference: "
            f"--reference {command.reference!r}."
        )
        error.balance = result["balance"]
        raise error
    if result["code"] != Code.DONE:
        raise CashError(f"Code {result['code']} to {_named(command)}.")
    return result


async def _until_known(
    link: Link, settings: Settings, orders: Orders, command: CashCommand
) -> Result:
    """Admit the command repeatedly until a worker has answered it."""
    failures = 0
    while True:
        admission = _admission(link, settings, orders, command)
        result: Result | Verdict = await link.submit(admission)
        if not isinstance(result, Verdict):
            return result
        if result in _UNAVAILABLE:
            raise QueueUnavailable(_UNAVAILABLE[result])
        in_time = not admission.apply_by.passed
        failures += result is Verdict.UNKNOWN and in_time  # a job that fails is answered at once
        if failures >= _FAILURES_MAX:
            raise CashError(
                f"A worker could not apply {_named(command)}: its log and the failed jobs in the "
                "dashboard say why."
            )
        await asyncio.sleep(_AGAIN_AFTER_SECONDS)


def _admission(link: Link, settings: Settings, orders: Orders, command: CashCommand) -> Admission:
    now, token = time.time(), new_token()
    expires_ms = int((now + _NONCE_SECONDS) * 1000)
    apply_by = Deadline.within(settings.apply_within_seconds)
    id_ = command_id(command.account_id, token)
    order = orders.sign(command, id_, link.stream, now)
    payload = encode_command(command, token, link.stream, order)
    return Admission(
        NonceClaim(f"{OURS}:nonce:operator:{token}", expires_ms, expires_ms),
        apply_by=apply_by,
        answer_by=apply_by.later(COMMIT_GRACE_SECONDS),
        command=NewCommand(command.account_id, call_of(command), describe(command), payload),
        token=token,
    )


def _named(command: CashCommand) -> str:
    """Return a phrase such as: the deposit 'my reference'."""
    return f"the {type(command).__name__.lower()} {command.reference!r}"


def certain_after_seconds(settings: Settings) -> float:
    """How long after its request a movement that is not committed never will be.

    By then whoever requested it has sent the last order, and workers accept none of them any more.
    """
    sends_for = max(_WITHIN_SECONDS, settings.portal_cash_within_seconds)
    runs_for = settings.apply_within_seconds + settings.timestamp_tolerance_seconds
    return sends_for + runs_for + COMMIT_GRACE_SECONDS
