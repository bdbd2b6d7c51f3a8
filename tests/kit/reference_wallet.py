"""A wallet in memory, from PROTOCOL.md alone, with faults that can be switched on one by one.

It shares no code with the product or the kit. It is what conformance is tested with: without a
fault it passes, and each fault turns the case red that is about it.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

#: Every fault of the rules of money, and what it does.
FAULTS = {
    "repeat_applied_twice": "a repeated pay-in takes its stake again",
    "float_balance": "balances are binary floats",
    "late_pay_out_refused": "a pay-out after the session expired is refused",
    "unknown_refund_refused": "the refund of a bet that never came is 6",
    "win_before_stake": "the win is added before the balance is compared with the stake",
    "no_balance_in_4": "code 4 has no balance",
    "tombstone_ignored": "a pay-in after its refund is taken",
    "refusal_not_kept": "a bet that was refused with 4 is not recorded",
    "refund_keeps_the_win": "the refund of a settled bet leaves the win with the player",
    "minimum_applies_to_0": "a stake of 0 is below the minimum",
    "bet_ids_shared": "providers share their betIds",
    "round_ignored": "a repeat may name another round",
    "8_for_unknown_session": "an unknown session is 8",
    "new_id_for_a_repeat": "a repeat gets a new transaction id",
    "pay_out_twice": "a second pay-out with another win is paid",
    "spent_win_taken_back": "a refund may leave less than nothing",
    "round_left_open": "roundFinished settles no other bet",
    "finished_round_takes_stakes": "a pay-in of a finished round is taken",
}

STATE_FIELDS = (
    *("betId", "state", "betAmount", "winAmount", "currency", "betTransactionId"),
    *("winTransactionId", "refundTransactionId", "refusedWith", "reason"),
    *("createdAt", "updatedAt", "gameRoundId", "gameId"),
)


class Refused(Exception):  # noqa: N818  # no error
    """A refusal: its code, and its reason."""

    def __init__(self, code: int, reason: str | None = None, status: int = 402) -> None:
        super().__init__(code)
        self.code, self.reason, self.status = code, reason, status
        self.balance: Decimal | None = None


@dataclass
class Provider:
    """A provider, and its limits of wins per currency: of one bet, and of all wins."""

    id: str
    secrets: list[str]
    token: str = ""
    suspended: bool = False
    limits: dict[str, tuple[Decimal | None, Decimal | None]] = field(default_factory=dict)
    won: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class Account:
    """What a player has in a currency."""

    player: str
    currency: str
    balance: Decimal = Decimal(0)
    blocked: bool = False


@dataclass
class Session:
    """A session of a player."""

    provider: Provider
    account: Account
    min_bet: Decimal | None = None
    max_bet: Decimal | None = None
    ended: str | None = None  # the reason why it takes no bet


@dataclass
class Bet:
    """A recorded bet."""

    id: str
    account: Account
    by: str
    state: str
    stake: Decimal | None = None
    win: Decimal | None = None
    round: str | None = None
    game: str | None = None
    code: int = 1
    reason: str | None = None
    ids: dict[str, str] = field(default_factory=dict)
    created: str = ""
    updated: str = ""


class Wallet:
    """Sessions, accounts and bets; `call` does what the protocol says, but for its fault."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.sessions: dict[str, Session] = {}
        self.bets: dict[tuple[str, str], Bet] = {}
        self.finished: set[tuple[str, int, str]] = set()  # provider, account, round

    def session(self, provider: Provider, session_id: str) -> Session:
        """Return a provider's session. Raises Refused."""
        found = self.sessions.get(session_id)
        if found is None or found.provider is not provider:
            if self.fault == "8_for_unknown_session":
                raise Refused(8, status=401)
            raise Refused(3, "session_unknown")
        return found

    def find(self, provider: Provider, bet_id: str) -> Bet | None:
        """Return a recorded bet."""
        return self.bets.get(self._key(provider, bet_id))

    def call(self, kind: str, session: Session, fields: dict[str, Any]) -> dict[str, str]:
        """Apply a call; the transaction ids of the answer. Raises Refused."""
        ids = self._apply(kind, session, fields)
        bet = self.find(session.provider, fields["betId"])
        if fields.get("roundFinished") and bet is not None and bet.round:
            self.finished.add((session.provider.id, id(session.account), bet.round))
            for other in self.of_round(session.provider, bet.round):
                is_open = other.state == "open" and other.account is session.account
                if is_open and self.fault != "round_left_open":
                    self._pay(other, session, Decimal(0))
        return ids

    def of_round(self, provider: Provider, round_id: str) -> list[Bet]:
        """Return the bets of a provider's round."""
        found = ((key, bet) for key, bet in self.bets.items() if bet.round == round_id)
        return [bet for key, bet in found if key == self._key(provider, bet.id)]

    def of_transaction(self, provider: Provider, transaction: str) -> Bet | None:
        """Return the bet that has a transfer."""
        known = (bet for key, bet in self.bets.items() if key == self._key(provider, bet.id))
        return next((bet for bet in known if transaction in bet.ids.values()), None)

    def _apply(self, kind: str, session: Session, fields: dict[str, Any]) -> dict[str, str]:
        bet = self.find(session.provider, fields["betId"])
        if bet is None:
            return self._new(kind, session, fields)
        if bet.account is not session.account:
            raise Refused(7)
        match kind, bet.state:
            case "refund", _:
                return self._refund(bet, session)
            case "pay-out", _:
                return self._pay_out(bet, session, fields["winAmount"])
            case "pay-in", "cancelled" if self.fault == "tombstone_ignored":
                return self._take(kind, session, fields)
            case (("pay-in" | "pay-in-out"), ("open" | "settled" | "rejected")):
                return self._stake_again(bet, kind, fields)
            case _:
                raise Refused(7)

    def state(self, bet: Bet) -> dict[str, Any]:
        """Return what `GET /v1/bets` tells of a bet."""
        ids = [bet.ids.get(name) for name in STATE_FIELDS[5:8]]
        refused = Decimal(bet.code) if bet.state == "rejected" else None
        values = (
            *(bet.id, bet.state, bet.stake, bet.win, bet.account.currency, *ids),
            *(refused, bet.reason, bet.created, bet.updated, bet.round, bet.game),
        )
        return dict(zip(STATE_FIELDS, values, strict=True))

    def _new(self, kind: str, session: Session, fields: dict[str, Any]) -> dict[str, str]:
        if kind == "pay-out":
            raise Refused(6)
        if kind == "refund":
            if self.fault == "unknown_refund_refused":
                raise Refused(6)
            bet = self._record(session, Bet(fields["betId"], session.account, kind, "cancelled"))
            return self._mark(bet, "refundTransactionId")
        round_id, owed = fields.get("gameRoundId"), _is_owed(kind, fields)
        finished = (session.provider.id, id(session.account), round_id) in self.finished
        if finished and not owed and self.fault != "finished_round_takes_stakes":
            raise Refused(7)
        self._check(kind, session, fields)
        return self._take(kind, session, fields)

    def _check(self, kind: str, session: Session, fields: dict[str, Any]) -> None:
        stake, win = fields["betAmount"], fields.get("winAmount")
        owed = _is_owed(kind, fields)
        why, code = session.ended if not owed else None, 3
        if why is None:
            why, code = self._not_allowed(session, stake, owed), 5
        if why is None and win:
            why = self._limit(session, win)
        funds = session.account.balance
        if self.fault == "win_before_stake":
            funds += win or 0
        if why is None and stake > funds:
            code = 4
        elif why is None:
            return
        forgotten = owed or code == 3 or (code == 4 and self.fault == "refusal_not_kept")
        if not forgotten:
            round_id = fields.get("gameRoundId")
            bet = Bet(fields["betId"], session.account, kind, "rejected", stake, win, round_id)
            bet.code, bet.reason = code, why
            self._record(session, bet)
        raise Refused(code, why)

    def _not_allowed(self, session: Session, stake: Decimal, owed: bool) -> str | None:
        if session.account.blocked and not owed:
            return "player_blocked"
        if session.provider.suspended:
            return "provider_suspended"
        counts = stake > 0 or (self.fault == "minimum_applies_to_0" and not owed)
        if counts and session.min_bet is not None and stake < session.min_bet:
            return "below_limit"
        if stake and session.max_bet is not None and stake > session.max_bet:
            return "above_limit"
        return None

    def _limit(self, session: Session, win: Decimal) -> str | None:
        currency = session.account.currency
        most, daily = session.provider.limits.get(currency, (None, None))
        if win and most is not None and win > most:
            return "win_above_limit"
        won = session.provider.won.get(currency, Decimal(0)) + win
        return "win_above_daily_limit" if win and daily is not None and won > daily else None

    def _take(self, kind: str, session: Session, fields: dict[str, Any]) -> dict[str, str]:
        stake, round_id = fields["betAmount"], fields.get("gameRoundId")
        bet = Bet(fields["betId"], session.account, kind, "open", stake, None, round_id)
        bet.game = fields.get("gameId")
        self._record(session, bet)
        session.account.balance -= stake
        ids = self._mark(bet, "betTransactionId")
        return ids | (self._pay(bet, session, fields["winAmount"]) if "out" in kind else {})

    def _pay_out(self, bet: Bet, session: Session, win: Decimal) -> dict[str, str]:
        if bet.state == "rejected":
            raise Refused(6)
        if bet.state == "open":
            if session.ended == "session_expired" and self.fault == "late_pay_out_refused":
                raise Refused(3, session.ended)
            return self._pay(bet, session, win)
        if bet.state != "settled" or bet.by != "pay-in":
            raise Refused(7)
        if bet.win != win and self.fault == "pay_out_twice":
            return self._pay(bet, session, win)
        return self._repeat(bet, bet.win == win, "winTransactionId")

    def _pay(self, bet: Bet, session: Session, win: Decimal) -> dict[str, str]:
        if bet.by == "pay-in" and (why := self._limit(session, win)):
            raise Refused(5, why)
        won = session.provider.won
        won[bet.account.currency] = won.get(bet.account.currency, Decimal(0)) + win
        bet.account.balance += win
        bet.win, bet.state, bet.updated = win, "settled", _now()
        return self._mark(bet, "winTransactionId")

    def _refund(self, bet: Bet, session: Session) -> dict[str, str]:
        won = (bet.win or Decimal(0)) if bet.state == "settled" else Decimal(0)
        if bet.state in ("open", "settled"):
            back = bet.stake or Decimal(0)
            after = session.account.balance + back - won
            if after < 0 and self.fault != "spent_win_taken_back":
                raise Refused(7)
            session.account.balance = after
            if self.fault == "refund_keeps_the_win":
                session.account.balance += won
            bet.state, bet.updated = "refunded", _now()
        if "refundTransactionId" in bet.ids:
            return self._repeat(bet, True, "refundTransactionId")
        return self._mark(bet, "refundTransactionId")

    def _stake_again(self, bet: Bet, kind: str, fields: dict[str, Any]) -> dict[str, str]:
        same = bet.by == kind and bet.stake == fields["betAmount"]
        same = same and (kind == "pay-in" or bet.win == fields["winAmount"])
        rounds = {bet.round, fields.get("gameRoundId")} - {None}
        same = same and (len(rounds) < 2 or self.fault == "round_ignored")
        if same and kind == "pay-in" and self.fault == "repeat_applied_twice":
            bet.account.balance -= fields["betAmount"]
        if same and bet.state == "rejected":
            raise Refused(bet.code, bet.reason)
        names = ("betTransactionId", "winTransactionId")[: 1 if kind == "pay-in" else 2]
        return self._repeat(bet, same, *names)

    def _repeat(self, bet: Bet, same: bool, *names: str) -> dict[str, str]:
        if not same:
            raise Refused(7)
        if self.fault == "new_id_for_a_repeat":
            return {name: secrets.token_hex(8) for name in names}
        return {name: bet.ids[name] for name in names}

    def _mark(self, bet: Bet, name: str) -> dict[str, str]:
        bet.ids[name] = secrets.token_hex(8)
        return {name: bet.ids[name]}

    def _record(self, session: Session, bet: Bet) -> Bet:
        bet.created = bet.updated = _now()
        self.bets[self._key(session.provider, bet.id)] = bet
        return bet

    def _key(self, provider: Provider, bet_id: str) -> tuple[str, str]:
        return ("" if self.fault == "bet_ids_shared" else provider.id, bet_id)


def _is_owed(kind: str, fields: dict[str, Any]) -> bool:
    """Whether a call is a win without a stake."""
    return kind == "pay-in-out" and not fields["betAmount"] and bool(fields["winAmount"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
