"""A small campaign without any violation. Tests make one thing wrong in it."""

from decimal import Decimal
from typing import Any

from tests.crash.evidence import Ask, Bet, Evidence, Transfer

PROVIDER, ACCOUNT = "provider", 7
BEGAN = 1_000_000.0
_IDS = {"stake": "betTransactionId", "win": "winTransactionId", "refund": "refundTransactionId"}


class Story:
    """Evidence that grows as clients ask, one request per second. `evidence` is all of it."""

    def __init__(self) -> None:
        self.evidence = Evidence(accounts={ACCOUNT: (Decimal(0), 0)})
        self._now = BEGAN
        self._move("deposit", "100", None)

    def ask(self, call: str, bet: str, code: int | None, **fields: Any) -> Ask:
        """A request and its answer, half a second later; None: there is none."""
        self._now += 1
        n = len(self.evidence.asks) + 1
        ask = Ask(
            n=n,
            line=2 * n,
            at=self._now,
            gateway=1,
            call=call,
            provider=PROVIDER,
            account=ACCOUNT,
            bet=bet,
            nonce=f"{n:032x}",
            stamp=int(self._now * 1000),
            body=f'{{"gameRoundId": "round {n}"}}',
        )
        for name, value in fields.items():
            setattr(ask, name, value)
        if code is not None:
            statuses = {1: 200, 8: 401, 0: 504, 99: 503}
            ask.status, ask.answered = statuses.get(code, 402), self._now + 0.5
            ask.answer = {"_responseCode": code}
        self.evidence.asks.append(ask)
        return ask

    def settle(self, bet: str, stake: str, win: str) -> Ask:
        """A pay-in-out that is done, as it should be."""
        ask = self.ask("pay-in-out", bet, 1, stake=stake, win=win)
        self.record(ask, "settled")
        self.give(ask, self._move("stake", stake, bet), self._move("win", win, bet))
        return ask

    def open(self, bet: str, stake: str) -> Ask:
        """A pay-in that is done."""
        ask = self.ask("pay-in", bet, 1, stake=stake)
        self.record(ask, "open")
        self.give(ask, self._move("stake", stake, bet))
        return ask

    def close(self, bet: str) -> Ask:
        """A refund that finds no bet."""
        ask = self.ask("refund", bet, 1)
        self.record(ask, "cancelled", opened_by="refund", stake=None)
        self.give(ask, self._move("refund", "0", bet))
        return ask

    def record(self, ask: Ask, state: str, **fields: Any) -> Bet:
        """A row of the bet that a request is about, made by it."""
        values: dict[str, Any] = {
            "id": len(self.evidence.bets) + 1,
            "provider": PROVIDER,
            "bet": ask.bet,
            "account": ACCOUNT,
            "state": state,
            "opened_by": ask.call.replace("-", "_"),
            "stake": None if ask.stake is None else Decimal(ask.stake),
            "win": None if ask.win is None else Decimal(ask.win),
            "round": f"round {ask.n}",
            "odd": None if ask.win is None else Decimal(ask.n),
        }
        row = Bet(**(values | fields))
        self.evidence.bets.append(row)
        return row

    def row(self, bet: str) -> Bet:
        """The row of a bet."""
        return next(row for row in self.evidence.bets if row.bet == bet)

    def move(self, bet: str, kind: str) -> Transfer:
        """A transfer of a bet."""
        row = self.row(bet)
        moves = self.evidence.transfers
        return next(move for move in moves if (move.bet, move.kind) == (row.id, kind))

    def add(self, kind: str, amount: str, bet: str) -> Transfer:
        """One more transfer of a bet, in its place in the chain."""
        return self._move(kind, amount, bet)

    def _move(self, kind: str, amount: str, bet: str | None) -> Transfer:
        balance, seq = self.evidence.accounts[ACCOUNT]
        gives = kind in ("win", "refund", "deposit")
        balance += Decimal(amount) if gives else -Decimal(amount)
        self.evidence.accounts[ACCOUNT] = (balance, seq + 1)
        move = Transfer(
            id=100 + seq,
            bet=None if bet is None else self.row(bet).id,
            kind=kind,
            amount=Decimal(amount),
            account=ACCOUNT,
            seq=seq + 1,
            balance=balance,
            credits=gives,
            committed=self._now + 0.2,
        )
        self.evidence.transfers.append(move)
        return move

    def give(self, ask: Ask, *moves: Transfer) -> None:
        """Name transfers in an answer, and the balance that the last one left."""
        for move in moves:
            ask.answer[_IDS[move.kind]] = str(move.id)
        ask.answer["balance"] = str(moves[-1].balance)
