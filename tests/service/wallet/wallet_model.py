"""The wallet by PROTOCOL.md, in a few dozen lines that share nothing with the product."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass
class ModelBet:
    """A recorded bet."""

    player: str
    by: str
    state: str
    stake: Decimal | None = None
    win: Decimal | None = None
    round: str | None = None
    code: int = 1
    reason: str | None = None


@dataclass
class Request:
    """One call, and what is so about its session, player and provider."""

    kind: str
    key: tuple[str, str]  # provider, betId
    player: str
    stake: Decimal | None
    win: Decimal | None
    round: str | None
    ended: str | None  # the reason why the session takes no bet
    blocked: bool
    suspended: bool
    limit: Decimal  # the session's maximum bet
    finishes: bool = False  # whether it finishes its round


@dataclass
class WalletModel:
    """Balances and bets; `call` answers the code and the reason."""

    balances: dict[str, Decimal] = field(default_factory=dict)
    bets: dict[tuple[str, str], ModelBet] = field(default_factory=dict)
    finished: set[tuple[str, str, str]] = field(default_factory=set)  # provider, player, round

    def call(self, request: Request) -> tuple[int, str | None]:
        """Do what the protocol says; the `_responseCode` and the `reason`."""
        known = self.bets.get(request.key)
        is_new = known is None and request.kind.startswith("pay-in")
        why = self._why_not(request) if is_new else None
        code = self._call(request)
        if code == 1 and request.finishes:
            self._finish(request)
        if code == 5:
            why = self.bets[request.key].reason if request.key in self.bets else why
        return code, why if code in (3, 5) else None

    def _call(self, request: Request) -> int:
        bet = self.bets.get(request.key)
        if bet is None:
            return self._new(request)
        if bet.player != request.player:
            return 7
        match request.kind, bet.state, bet.by:
            case "refund", "rejected" | "refunded" | "cancelled", _:
                return 1
            case "refund", _, _:
                return self._undo(bet)
            case "pay-out", "rejected", _:
                return 6
            case "pay-out", "open", _:
                bet.state, bet.win = "settled", request.win
                self.balances[bet.player] += request.win or 0
                return 1
            case "pay-out", "settled", "pay-in":
                return 1 if bet.win == request.win else 7
            case ("pay-in" | "pay-in-out") as kind, "open" | "settled" | "rejected", by:
                same_win = kind == "pay-in" or bet.win == request.win
                same = kind == by and bet.stake == request.stake and same_win
                same = same and (None in (bet.round, request.round) or bet.round == request.round)
                return bet.code if same else 7
            case _:
                return 7

    def _finish(self, request: Request) -> None:
        provider, player = request.key[0], request.player
        round_ = request.round or self.bets[request.key].round
        if round_ is None:
            return
        self.finished.add((provider, player, round_))
        for (of_provider, _), bet in self.bets.items():
            is_of_it = (of_provider, bet.player, bet.round) == (provider, player, round_)
            if is_of_it and bet.state == "open":
                bet.state, bet.win = "settled", Decimal(0)

    def _new(self, request: Request) -> int:
        if request.kind == "pay-out":
            return 6
        of_round = (request.key[0], request.player, request.round or "")
        if request.kind != "refund" and not _is_owed(request) and of_round in self.finished:
            return 7
        bet = ModelBet(request.player, request.kind, "cancelled", round=request.round)
        if request.kind != "refund":
            assert request.stake is not None
            bet.stake, bet.win, bet.state = request.stake, request.win, "rejected"
            bet.reason = self._why_not(request)
            if bet.reason is not None and bet.reason.startswith("session"):
                return 3
            if bet.reason is not None:
                bet.code = 5
                if _is_owed(request):
                    return 5
            elif request.stake > self.balances[request.player]:
                bet.code = 4
            else:
                bet.state = "open" if request.kind == "pay-in" else "settled"
                self.balances[request.player] += (request.win or 0) - request.stake
        self.bets[request.key] = bet
        return bet.code

    @staticmethod
    def _why_not(request: Request) -> str | None:
        if _is_owed(request):
            return "provider_suspended" if request.suspended else None
        if request.ended:
            return request.ended
        if request.blocked:
            return "player_blocked"
        if request.suspended:
            return "provider_suspended"
        return "above_limit" if (request.stake or 0) > request.limit else None

    def _undo(self, bet: ModelBet) -> int:
        assert bet.stake is not None
        won = (bet.win or Decimal(0)) if bet.state == "settled" else Decimal(0)
        if self.balances[bet.player] + bet.stake - won < 0:
            return 7
        self.balances[bet.player] += bet.stake - won
        bet.state = "refunded"
        return 1


def _is_owed(request: Request) -> bool:
    """Whether the call is a win without a stake."""
    return request.kind == "pay-in-out" and not request.stake and bool(request.win)
