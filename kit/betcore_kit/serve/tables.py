"""Tables of the slot: one for each launched session. Each bets once for each spin of its player."""

import random
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from betcore_kit.answers import BetAnswer, Code, Outcome
from betcore_kit.calls import PayInOut
from betcore_kit.client.clients import Client
from betcore_kit.errors import KitError, printable
from betcore_kit.exact import amount, plain
from betcore_kit.serve.slot import GAME, NAME, Reels, pays, turn

_STAKES = ("0.10", "0.20", "0.50", "1", "2", "5", "10", "20", "50", "100")
#: Currencies of ISO 4217 without decimals.
_WHOLE = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
_TABLES_MAX = 10_000
_TEXT_MAX = 128
_REFUSED = {
    Code.SESSION_CLOSED: "This session has ended. Open the game again from the casino.",
    Code.INSUFFICIENT_FUNDS: "Your balance does not cover this stake.",
    Code.NOT_ALLOWED: "The casino does not allow this bet: {reason}.",
    Code.UNAUTHORIZED: "The casino does not accept the signature of this game's provider.",
    Code.BET_CONFLICT: "The last spin does not count: its stake was given back.",
}
_ENDED = {
    Outcome.CANCELLED: "The casino did not answer in time. The spin does not count.",
    Outcome.NOT_ADMITTED: "The casino is busy or cannot be reached. Nothing was bet: try again.",
    Outcome.UNKNOWN: "It is not known yet whether this spin counts. Press Spin to ask again:"
    " nothing is bet twice.",
}


class BadSpin(Exception):  # noqa: N818
    """A request for a spin that no page of ours sends."""


@dataclass(frozen=True)
class Launch:
    """What the aggregator said of a session when it launched the game."""

    session_id: str
    user_id: str
    currency: str
    least: Decimal | None = None
    most: Decimal | None = None
    mode: str = "real"

    @classmethod
    def read(cls, fields: object) -> "Launch":
        """Read the body of a launch. Raises KitError, which names the field."""
        if not isinstance(fields, dict):
            raise KitError("The body is no JSON object.")

        def text(name: str) -> str:
            value = fields.get(name)
            if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX:
                raise KitError(f"{name} must be text of 1 to {_TEXT_MAX} characters.")
            return value

        least, most = (
            None if one is None else amount(one) for one in map(fields.get, ("minBet", "maxBet"))
        )
        mode = fields.get("gameMode") or "real"
        if mode not in ("real", "demo"):
            raise KitError("gameMode must be real or demo.")
        return cls(text("sessionId"), text("userId"), text("currency"), least, most, mode)

    @property
    def stakes(self) -> list[Decimal]:
        """The stakes that the session's limits allow."""
        least = self.least or Decimal(0)
        most = Decimal("Infinity") if self.most is None else self.most
        usual = [Decimal(one) for one in _STAKES if self.currency not in _WHOLE or "." not in one]
        found = {one for one in usual if least <= one <= most}
        return sorted(found | {one for one in (self.least,) if one}) or [most]


@dataclass(frozen=True)
class _Spin:
    """A spin whose reels have turned. The same spin is always the same bet."""

    bet: PayInOut
    reels: Reels


@dataclass
class Table:
    """Where one session plays.

    A spin has a number, and the page says which one it wants. A number that was played already
    gets what became of it, so a second click or a repeat after a lost answer bets nothing. The
    number goes up only when the outcome of the spin is known.
    """

    launch: Launch
    client: Client
    say: Callable[[str], object] = print
    _name: str = field(default_factory=lambda: secrets.token_hex(8))
    _next: int = 1
    _open: _Spin | None = None  # its outcome is not known
    _last: dict[str, Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rng: random.Random = field(default_factory=secrets.SystemRandom)

    def state(self, balance: Decimal | None = None) -> dict[str, Any]:
        """Return what the page shows. Unless the balance is given, the wallet is asked for it."""
        told = ""
        if balance is None:
            answer = self.client.balance(self.launch.session_id)
            balance = answer.balance
            if balance is None:
                told = _told_of(answer.code, answer.reason) if answer.code else ""
                told = told or "The casino does not answer. Try again."
        return {
            "game": NAME,
            "currency": self.launch.currency,
            "mode": self.launch.mode,
            "stakes": [plain(one) for one in self.launch.stakes],
            "balance": None if balance is None else plain(balance),
            "next": self._next,
            "last": self._last,
            "told": told,
        }

    def spin(self, number: object, stake: object) -> dict[str, Any]:
        """Play a spin, unless it was played before. Return the state after it. Raises BadSpin."""
        allowed = {plain(one): one for one in self.launch.stakes}
        if not isinstance(stake, str) or stake not in allowed:
            raise BadSpin(f"The stake must be one of {', '.join(allowed)}.")
        with self._lock:
            if type(number) is not int or not 0 < number <= self._next:
                raise BadSpin(f"The next spin has the number {self._next}.")
            if number != self._next:
                return self.state()
            if self._open is None:
                self._open = self._turned(allowed[stake])
            answer = self.client.bet(self._open.bet)
            self._end(self._open, answer)
        return self.state(answer.balance)

    def finish(self, seconds: float) -> None:
        """Wait for the spin that is being played, if there is one."""
        if self._lock.acquire(timeout=seconds):
            self._lock.release()

    def _turned(self, stake: Decimal) -> _Spin:
        reels, name = turn(self._rng), f"{GAME}-{self._name}-{self._next}"
        # The path is not signed, so the body says what the bet is about.
        claims = {
            "sessionId": self.launch.session_id,
            "userId": self.launch.user_id,
            "currency": self.launch.currency,
            "gameId": GAME,
        }
        win = stake * pays(reels)
        bet = PayInOut(
            self.launch.session_id,
            name,
            stake,
            win,
            game_round_id=name,
            round_finished=True,
            more=claims,
        )
        return _Spin(bet, reels)

    def _end(self, spin: _Spin, answer: BetAnswer) -> None:
        """Keep what became of a spin. One whose outcome is not known remains open."""
        stake, win = plain(spin.bet.stake or Decimal(0)), plain(spin.bet.win or Decimal(0))
        won = f"You won {win} {self.launch.currency}." if spin.bet.win else "No win this time."
        refused = _told_of(answer.code, answer.reason) or answer.message or "The bet was refused."
        told = {Outcome.DONE: won, Outcome.REFUSED: refused, **_ENDED}[answer.outcome]
        self._last = {
            "spin": self._next,
            "stake": stake,
            "win": win if answer.ok else "0",
            "reels": list(spin.reels) if answer.ok else [],
            "outcome": str(answer.outcome),
            "told": told,
        }
        if answer.outcome is not Outcome.UNKNOWN:
            self._next, self._open = self._next + 1, None
        who = printable(self.launch.user_id)
        self.say(f"spin: {who} stakes {stake} {self.launch.currency}. {told}")


class Tables:
    """The tables by the token in their address. The oldest ones make room for new ones."""

    def __init__(self, client: Client, say: Callable[[str], object]) -> None:
        self._client, self._say = client, say
        self._by_token: OrderedDict[str, Table] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, launch: Launch) -> str:
        """Return a token that nobody can guess. A session keeps its table when launched again."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            found = [one for one in self._by_token.values() if one.launch == launch]
            table = found[0] if found else Table(launch, self._client, self._say)
            self._by_token[token] = table
            if len(self._by_token) > _TABLES_MAX:
                self._by_token.popitem(last=False)
        return token

    def find(self, token: str) -> Table | None:
        """Return the table of a token, if there is one."""
        return self._by_token.get(token)

    def finish(self, seconds: float) -> None:
        """Wait for the spins that are being played."""
        for table in list(self._by_token.values()):
            table.finish(seconds)


def _told_of(code: Code, reason: str | None) -> str:
    """Return a refusal in the player's words; "" if the player has none for it."""
    return _REFUSED.get(code, "").format(reason=(reason or "not now").replace("_", " "))
