"""Commands: what a caller asks of the ledger. They are frozen, and valid by construction.

The gateway reads a command from the body of a request, once. No inner code checks its form again. A
command becomes JSON (`to_job`) for the queue, and a command again (`from_job`) in a worker.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, NamedTuple, Self

from models.errors import InvalidRequest
from models.money import JsonNumber, plain, read_amount

_TEXT_MAX = 128  # code points of a `betId`, `gameRoundId` or reference
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates
_INTEGER = re.compile(r"-?[0-9]+")
_ABSENT = object()
ROW_ID_MAX = 2**63 - 1  # PostgreSQL's bigint

JobValue = str | int | None


class Place(NamedTuple):
    """Where a command acts. The session's id determines it, and it never changes."""

    provider_id: int
    session_id: str
    account_id: int
    decimals: int  # of the account's currency
    currency: str
    player: str  # its id in the operator's own system, as Launch gives it
    game: str | None = None  # for which the session was opened; None: it names none


@dataclass(frozen=True, slots=True)
class BetCommand:
    """A call about one bet. Each subclass defines which amounts it has and which ids it answers."""

    #: The name under which a job runs the command.
    function: ClassVar[str]
    #: The names of the transaction ids in the answer, in the order of `Outcome.ids`.
    answers: ClassVar[tuple[str, ...]]
    has_stake: ClassVar[bool] = False
    has_win: ClassVar[bool] = False

    provider_id: int
    session_id: str
    account_id: int
    bet_id: str
    round_id: str | None = None
    stake: Decimal | None = None
    win: Decimal | None = None
    odd: Decimal | None = None
    player: str = field(default="", compare=False)  # its id, for people; no job contains it
    game: str | None = None  # as the body names it, if the session names none
    round_finished: bool = False  # whether it finishes its round; only of a call with a win

    @classmethod
    def read(cls, body: Mapping[str, object], place: Place) -> Self:
        """Read the body of one call.

        Raises InvalidRequest, which names the field. It also does so when the body claims another
        currency, player or game than those of the place.
        """
        _require_claims(body, place)
        game = _optional_text(body, "gameId")
        if game is not None and place.game is not None and game != place.game:
            raise InvalidRequest("The gameId in the body is not the session's.")
        odd = body.get("winOdd") if cls.has_win else None
        return cls(
            provider_id=place.provider_id,
            session_id=place.session_id,
            account_id=place.account_id,
            bet_id=read_text(_required(body, "betId"), "betId"),
            round_id=_optional_text(body, "gameRoundId"),
            stake=_amount(body, "betAmount", place) if cls.has_stake else None,
            win=_amount(body, "winAmount", place) if cls.has_win else None,
            odd=None if odd is None else read_amount(odd, "winOdd"),
            player=place.player,
            game=game if place.game is None else None,
            round_finished=cls.has_win and _flag(body, "roundFinished"),
        )

    def to_job(self) -> dict[str, JobValue]:
        """The command as JSON values. Amounts are text, so that none becomes a binary float.

        A command that finishes its round names it `finishes` and not `round`. A worker of a release
        that knows no finished rounds cannot read that, so it never applies half of the command.
        """
        values: dict[str, JobValue] = {
            "provider": self.provider_id,
            "session": self.session_id,
            "account": self.account_id,
            "bet": self.bet_id,
            "finishes" if self.round_finished else "round": self.round_id,
            "stake": None if self.stake is None else plain(self.stake),
            "win": None if self.win is None else plain(self.win),
            "odd": None if self.odd is None else plain(self.odd),
        }
        return values if self.game is None else values | {"game": self.game}

    @classmethod
    def from_job(cls, values: Mapping[str, JobValue]) -> Self:
        """The command that `to_job` wrote. Raises KeyError, TypeError or InvalidRequest."""
        stake, win = _decimal(values["stake"], "stake"), _decimal(values["win"], "win")
        if (stake is not None, win is not None) != (cls.has_stake, cls.has_win):
            raise TypeError(f"{cls.__name__} with other amounts than its own")
        finishes, game = "finishes" in values, values.get("game")
        if finishes and not cls.has_win:
            raise TypeError(f"{cls.__name__} that finishes a round")
        round_id = values["finishes" if finishes else "round"]
        return cls(
            provider_id=_integer(values["provider"]),
            session_id=_string(values["session"]),
            account_id=_integer(values["account"]),
            bet_id=read_text(values["bet"], "bet"),
            round_id=None if round_id is None else read_text(round_id, "round"),
            stake=stake,
            win=win,
            odd=_decimal(values["odd"], "odd"),
            game=None if game is None else read_text(game, "game"),
            round_finished=finishes,
        )


class PayIn(BetCommand):
    """Take a stake. Its outcome comes later."""

    __slots__ = ()
    function = "bets.pay_in"
    answers = ("betTransactionId",)
    has_stake = True


class PayOut(BetCommand):
    """Pay the win of a stake that was taken. A win of 0 means that the bet is lost."""

    __slots__ = ()
    function = "bets.pay_out"
    answers = ("winTransactionId",)
    has_win = True


class PayInOut(BetCommand):
    """Take a stake and pay its win: both or neither (PROTOCOL.md, rule 2)."""

    __slots__ = ()
    function = "bets.pay_in_out"
    answers = ("betTransactionId", "winTransactionId")
    has_stake = True
    has_win = True


class Refund(BetCommand):
    """Undo a bet, whatever has become of it. An unknown bet can then never be taken."""

    __slots__ = ()
    function = "bets.refund"
    answers = ("refundTransactionId",)


@dataclass(frozen=True, slots=True)
class CashCommand:
    """Money between a player's account and the outside world, once per reference."""

    function: ClassVar[str]
    answers: ClassVar[tuple[str, ...]] = ("transferId",)

    account_id: int
    reference: str
    amount: Decimal
    #: Names the order that runs the command. One reference may have several orders.
    order_id: str = ""

    @classmethod
    def read(cls, account_id: int, reference: str, amount: str, decimals: int) -> Self:
        """Read what an operator typed. Raises InvalidRequest, which names the field."""
        name = read_text(reference, "reference")
        moved = read_amount(amount, "amount", decimals)
        if not moved:
            raise InvalidRequest("amount must be above 0.")
        return cls(account_id=account_id, reference=name, amount=moved)

    def to_job(self) -> dict[str, JobValue]:
        """The command as JSON values, without `order_id`: the job itself is the order."""
        return {
            "account": self.account_id,
            "reference": self.reference,
            "amount": plain(self.amount),
        }

    @classmethod
    def from_job(cls, values: Mapping[str, JobValue]) -> Self:
        """The command that `to_job` wrote. Raises KeyError, TypeError or InvalidRequest."""
        return cls(
            account_id=_integer(values["account"]),
            reference=read_text(values["reference"], "reference"),
            amount=read_amount(_string(values["amount"]), "amount"),
        )


class Deposit(CashCommand):
    """Put money from outside into a player's account."""

    __slots__ = ()
    function = "cash.deposit"


class Withdrawal(CashCommand):
    """Take money out of a player's account, if the balance covers it."""

    __slots__ = ()
    function = "cash.withdrawal"


Command = BetCommand | CashCommand

_COMMANDS = (PayIn, PayOut, PayInOut, Refund, Deposit, Withdrawal)
#: Every command that the queue may run, by the name in a job: that of this release, and that of the
#: release before. So a job cannot name code to import.
COMMANDS: dict[str, type[BetCommand] | type[CashCommand]] = {
    **{command.function: command for command in _COMMANDS},
    **{f"workers.jobs.{command.function.rpartition('.')[2]}": command for command in _COMMANDS},
}


def is_readable(text: str) -> bool:
    """Whether text has neither control characters nor lone surrogates. PostgreSQL keeps no NUL."""
    return not _UNREADABLE.search(text)


def read_text(value: object, name: str) -> str:
    """Read text of 1 to 128 code points without control characters. A JSON integer counts as text.

    Source: PROTOCOL.md, "Types". Raises InvalidRequest, which names the field.
    """
    is_text = type(value) is str or (type(value) is JsonNumber and _INTEGER.fullmatch(value))
    if not is_text or not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX:
        raise InvalidRequest(f"{name} must be text of 1 to {_TEXT_MAX} characters.")
    if not is_readable(value):
        raise InvalidRequest(f"{name} may not hold control characters or lone surrogates.")
    return str(value)


def _require_claims(body: Mapping[str, object], place: Place) -> None:
    """Refuse a body that claims another currency or player (PROTOCOL.md, "Claims")."""
    currency = body.get("currency")
    if currency is not None and (type(currency) is not str or currency != place.currency):
        raise InvalidRequest("The currency in the body is not the session's.")
    user = body.get("userId")
    if user is not None and read_text(user, "userId") != place.player:
        raise InvalidRequest("The userId in the body is not the session's player.")


def _required(body: Mapping[str, object], name: str) -> object:
    value = body.get(name, _ABSENT)
    if value is _ABSENT:
        raise InvalidRequest(f"{name} is missing.")
    return value


def _optional_text(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    return None if value is None else read_text(value, name)


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name)
    if value is None or type(value) is bool:
        return bool(value)
    raise InvalidRequest(f"{name} must be true or false.")


def _amount(body: Mapping[str, object], name: str, place: Place) -> Decimal:
    return read_amount(_required(body, name), name, place.decimals)


def _decimal(value: JobValue, name: str) -> Decimal | None:
    return None if value is None else read_amount(_string(value), name)


def _string(value: JobValue) -> str:
    if type(value) is not str:
        raise TypeError(f"text expected, not {value!r}")
    return value


def _integer(value: JobValue) -> int:
    if type(value) is not int or not 0 <= value <= ROW_ID_MAX:
        raise TypeError("the id of a row expected")
    return value
