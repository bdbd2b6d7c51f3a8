"""The calls of the protocol as frozen values: what a provider may ask the wallet to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar
from urllib.parse import quote, urlencode

from betcore_kit.exact import amount, write_json


@dataclass(frozen=True)
class Call:
    """A request that is not signed yet: method, path with query, and the exact bytes of the body.

    `name` is for people: what the log and the hooks call it.
    """

    method: str
    path: str
    body: bytes = b""
    name: str = ""


@dataclass(frozen=True)
class Bet:
    """What every call about a bet has. `more` has optional fields: `gameId`, `winOdd`, claims.

    Amounts may be given as `Decimal`, `int` or `str`. A float raises KitError.
    """

    kind: ClassVar[str] = ""
    session_id: str
    bet_id: str
    game_round_id: str | None = field(default=None, kw_only=True)
    more: Mapping[str, object] = field(default_factory=dict, kw_only=True)

    @property
    def stake(self) -> Decimal | None:
        """Return the stake that the call takes. None: it takes none."""
        return _amount_of(self, "bet_amount")

    @property
    def win(self) -> Decimal | None:
        """Return the win that the call pays. None: it pays none."""
        return _amount_of(self, "win_amount")

    @property
    def can_be_given_up(self) -> bool:
        """Whether a refund may end a doubt about this call: it takes a stake.

        Everything else is owed to the player, and is sent again until it has been done.
        """
        return bool(self.stake) or self.kind == "pay-in"

    def call(self) -> Call:
        """Return the request."""
        fields = {
            "betAmount": self.stake,
            "winAmount": self.win,
            "gameRoundId": self.game_round_id,
            "roundFinished": getattr(self, "round_finished", False) or None,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        body = write_json({"betId": self.bet_id} | given | dict(self.more))
        path = f"/v1/sessions/{quote(self.session_id, safe='')}/bets/{self.kind}"
        return Call("POST", path, body, self.kind)


@dataclass(frozen=True)
class PayIn(Bet):
    """Take the stake of a bet."""

    kind = "pay-in"
    bet_amount: Decimal | int | str


@dataclass(frozen=True)
class PayOut(Bet):
    """Pay the win of an open bet. A win of 0 means that the bet is lost.

    `round_finished` settles the player's other open bets of the round with 0.
    """

    kind = "pay-out"
    win_amount: Decimal | int | str
    round_finished: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class PayInOut(Bet):
    """Take the stake and pay the win of a bet, both or none. `round_finished` as in PayOut."""

    kind = "pay-in-out"
    bet_amount: Decimal | int | str
    win_amount: Decimal | int | str
    round_finished: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Refund(Bet):
    """Give the stake back, or close the `betId` of a bet that has not come yet."""

    kind = "refund"


def balance_call(session_id: str) -> Call:
    """Return the question for the balance of a session's player."""
    return Call("GET", f"/v1/sessions/{quote(session_id, safe='')}/balance", name="balance")


def bets_call(**query: str) -> Call:
    """Return a question about bets: `betId`, `gameRoundId` or `transactionId`."""
    return Call("GET", f"/v1/bets?{urlencode(query, quote_via=quote)}", name="bets")


def _amount_of(bet: Bet, name: str) -> Decimal | None:
    value = getattr(bet, name, None)
    return None if value is None else amount(value)
