"""Answers to creations, by `Idempotency-Key`: a repeat gets the first answer, and makes nothing.

The answer is recorded in the transaction of what was made. So one never exists without the other.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, text, update
from sqlmodel import Session as DbSession
from sqlmodel import col

from models.errors import BetcoreError
from models.tables import IdempotentRequest

_CLAIM = text("select pg_try_advisory_xact_lock(:lock)")


class Reused(BetcoreError):  # noqa: N818
    """The Idempotency-Key already stands for another request."""


class InProgress(BetcoreError):  # noqa: N818
    """A request with this Idempotency-Key is in progress."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request with an `Idempotency-Key`, of one operator key."""

    key_id: int
    name: str
    fingerprint: bytes

    @property
    def lock(self) -> int:
        """A number for the advisory lock, of 64 bits. Two claims hardly ever share one."""
        digest = hashlib.sha256(f"{self.key_id} {self.name}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


@dataclass(frozen=True, slots=True)
class Answered:
    """The first answer. Both are None if the request itself may be repeated.

    Without a status, `answer` is what is known before the result (`settle_answer`), and `age` says
    for how long it has been so.
    """

    status: int | None
    answer: str | None
    age: timedelta = timedelta(0)


def find_answer(database: DbSession, claim: Claim) -> Answered | None:
    """The answer to this request if it was made before, otherwise None.

    Until the transaction ends, others with the same claim are refused. Raises Reused if the
    name stands for another request, and InProgress while another transaction has the claim.
    """
    if not database.execute(_CLAIM, {"lock": claim.lock}).scalar_one():
        raise InProgress
    # A separate statement: it sees what the last holder of the lock has committed.
    found = database.get(IdempotentRequest, (claim.key_id, claim.name))
    if found is None:
        return None
    if found.fingerprint != claim.fingerprint:
        raise Reused
    age = database.execute(select(func.clock_timestamp() - found.created_at)).scalar_one()
    return Answered(found.status, found.answer, age)


def keep_answer(database: DbSession, claim: Claim, answered: Answered) -> None:
    """Record the answer. It is committed with what the transaction makes."""
    database.add(
        IdempotentRequest(
            key_id=claim.key_id,
            name=claim.name,
            fingerprint=claim.fingerprint,
            status=answered.status,
            answer=answered.answer,
        )
    )


def take_over(database: DbSession, claim: Claim) -> None:
    """Note that this request works now on the result of one that stopped without it.

    From now on, repeats wait for this request, as they waited for the first one.
    """
    database.execute(
        update(IdempotentRequest)
        .where(*_of(claim), col(IdempotentRequest.status).is_(None))
        .values(created_at=func.clock_timestamp())
    )


def settle_answer(database: DbSession, claim: Claim, answered: Answered) -> None:
    """Record the result of a request that was recorded without one. The first result stays."""
    result = {"status": answered.status, "answer": answered.answer}
    of = update(IdempotentRequest).where(*_of(claim), col(IdempotentRequest.status).is_(None))
    database.execute(of.values(result))


def _of(claim: Claim) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Where the note of a request is."""
    table = IdempotentRequest
    return col(table.key_id) == claim.key_id, col(table.name) == claim.name
