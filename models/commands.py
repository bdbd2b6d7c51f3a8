"""Commands: what a caller asks of the ledger. Imperative, frozen, valid by construction.

A command is read from a request's body once, at the edge; nothing inside checks its form again.
It becomes JSON (`to_job`) to travel through the queue, and itself again (`from_job`) in a worker.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Self

from models.errors import InvalidRequest
from models.money import JsonNumber, plain, read_amount

_TEXT_MAX = 128  # code points of a `betId`, `gameRoundId` or reference
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates
_INTEGER = re.compile(r"-?[0-9]+")
_ABSENT = object()

JobValue = str | int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command acts: found from the session's id, and never changing for it."""

    provider_id: int
    session_id: str
    account_id: int
    decimals: int  # of the account's currency


@dataclass(frozen=True, slots=True)
class PayInOut:
    """Take a stake and pay its win, both or neither (PROTOCOL.md, rule 2)."""

    function: ClassVar[str] = "workers.jobs.pay_in_out"
    #: The names of the transaction ids in the answer, in the order of `Outcome.ids`.
    answers: ClassVar[tuple[str, ...]] = ("betTransactionId", "winTransactionId")

    provider_id: int
    session_id: str
    account_id: int
    bet_id: str
    round_id: str | None
    stake: Decimal
    win: Decimal
    odd: Decimal | None

    @classmethod
    def read(cls, body: Mapping[str, object], place: Place) -> Self:
        """Read the body of one call. Raises InvalidRequest, naming the field."""
        odd = body.get("winOdd")
        return cls(
            provider_id=place.provider_id,
            session_id=place.session_id,
            account_id=place.account_id,
            bet_id=read_text(_required(body, "betId"), "betId"),
            round_id=_optional_text(body, "gameRoundId"),
            stake=read_amount(_required(body, "betAmount"), "betAmount", place.decimals),
            win=read_amount(_required(body, "winAmount"), "winAmount", place.decimals),
            odd=None if odd is None else read_amount(odd, "winOdd"),
        )

    def to_job(self) -> dict[str, JobValue]:
        """The command as JSON values; amounts as text, so that nothing is a binary float."""
        return {
            "provider": self.provider_id,
            "session": self.session_id,
            "account": self.account_id,
            "bet": self.bet_id,
            "round": self.round_id,
            "stake": plain(self.stake),
            "win": plain(self.win),
            "odd": None if self.odd is None else plain(self.odd),
        }

    @classmethod
    def from_job(cls, values: Mapping[str, JobValue]) -> Self:
        """The command that `to_job` wrote. Raises KeyError, TypeError or ArithmeticError."""
        odd = values["odd"]
        return cls(
            provider_id=_integer(values["provider"]),
            session_id=_string(values["session"]),
            account_id=_integer(values["account"]),
            bet_id=_string(values["bet"]),
            round_id=None if values["round"] is None else _string(values["round"]),
            stake=Decimal(_string(values["stake"])),
            win=Decimal(_string(values["win"])),
            odd=None if odd is None else Decimal(_string(odd)),
        )


@dataclass(frozen=True, slots=True)
class Deposit:
    """Put money from outside into a player's account, once per reference."""

    function: ClassVar[str] = "workers.jobs.deposit"
    answers: ClassVar[tuple[str, ...]] = ("transferId",)

    account_id: int
    reference: str
    amount: Decimal

    @classmethod
    def read(cls, account_id: int, reference: str, amount: str, decimals: int) -> Self:
        """Read what an operator typed. Raises InvalidRequest, naming the field."""
        return cls(
            account_id=account_id,
            reference=read_text(reference, "reference"),
            amount=read_amount(amount, "deposit", decimals),
        )

    def to_job(self) -> dict[str, JobValue]:
        """The command as JSON values."""
        return {
            "account": self.account_id,
            "reference": self.reference,
            "amount": plain(self.amount),
        }

    @classmethod
    def from_job(cls, values: Mapping[str, JobValue]) -> Self:
        """The command that `to_job` wrote. Raises KeyError, TypeError or ArithmeticError."""
        return cls(
            account_id=_integer(values["account"]),
            reference=_string(values["reference"]),
            amount=Decimal(_string(values["amount"])),
        )


Command = PayInOut | Deposit

#: All that the queue may run, by the name a job carries; a worker imports nothing a job names.
COMMANDS: dict[str, type[PayInOut] | type[Deposit]] = {
    command.function: command for command in (PayInOut, Deposit)
}


def read_text(value: object, name: str) -> str:
    """Read 1 to 128 code points without control characters; a JSON integer is taken as its text.

    Source: PROTOCOL.md, "Types". Raises InvalidRequest, naming the field.
    """
    is_text = type(value) is str or (type(value) is JsonNumber and _INTEGER.fullmatch(value))
    if not is_text or not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX:
        raise InvalidRequest(f"{name} must be text of 1 to {_TEXT_MAX} characters.")
    if _UNREADABLE.search(value):
        raise InvalidRequest(f"{name} may not hold control characters or lone surrogates.")
    return str(value)


def _required(body: Mapping[str, object], name: str) -> object:
    value = body.get(name, _ABSENT)
    if value is _ABSENT:
        raise InvalidRequest(f"{name} is missing.")
    return value


def _optional_text(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    return None if value is None else read_text(value, name)


def _string(value: JobValue) -> str:
    if type(value) is not str:
        raise TypeError(f"text expected, not {value!r}")
    return value


def _integer(value: JobValue) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number expected, not {value!r}")
    return value
