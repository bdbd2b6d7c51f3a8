"""The provider's own books: what each bet has become by the answers, and each player's balance."""

from dataclasses import dataclass, field
from decimal import Decimal

from betcore_kit.answers import BetAnswer, BetState, Code, Outcome
from betcore_kit.calls import Bet, PayIn, PayInOut, PayOut, Refund

ZERO = Decimal(0)
#: What a bet may be whose doubt was ended by a refund. Each of these moves nothing.
_GIVEN_UP = frozenset(("refunded", "cancelled", "rejected"))
_RECORDED_REFUSALS = (Code.INSUFFICIENT_FUNDS, Code.NOT_ALLOWED)


@dataclass
class Entry:
    """A bet: the states that it may have now, and what it moved so far."""

    states: frozenset[str]
    stake: Decimal = ZERO
    win: Decimal = ZERO


@dataclass
class Books:
    """All bets by betId, and all balances by the session of the player."""

    bets: dict[str, Entry] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)  # calls whose outcome nobody could tell

    def note(self, seat: str, bet: Bet, answer: BetAnswer) -> None:
        """Enter what has become of a call. `seat` is the player's first session."""
        known = self.bets.get(bet.bet_id)
        if answer.outcome is Outcome.UNKNOWN:
            self.doubts.append(f"{bet.kind} of {bet.bet_id}")
        elif answer.outcome is Outcome.DONE:
            self._done(seat, bet, known)
        elif known is None and answer.outcome is Outcome.CANCELLED:
            self.bets[bet.bet_id] = Entry(_GIVEN_UP)
        elif known is None and answer.code in _RECORDED_REFUSALS and bet.stake is not None:
            self.bets[bet.bet_id] = Entry(frozenset(("rejected",)))

    def close(self, bet_id: str) -> None:
        """Enter that a finished round has settled an open bet with 0."""
        if self.bets[bet_id].states == {"open"}:
            self.bets[bet_id].states = frozenset(("settled",))

    def _done(self, seat: str, bet: Bet, known: Entry | None) -> None:
        stake, win = bet.stake or ZERO, bet.win or ZERO
        if isinstance(bet, Refund):
            if known is None:
                self.bets[bet.bet_id] = Entry(frozenset(("cancelled",)))
                return
            self.balances[seat] += known.stake - known.win
            known.states, known.stake, known.win = frozenset(("refunded",)), ZERO, ZERO
        elif isinstance(bet, PayOut):
            entry = self.bets[bet.bet_id]
            self.balances[seat] += win
            entry.states, entry.win = frozenset(("settled",)), win
        elif known is None and isinstance(bet, PayIn | PayInOut):
            state = "open" if isinstance(bet, PayIn) else "settled"
            self.bets[bet.bet_id] = Entry(frozenset((state,)), stake, win)
            self.balances[seat] += win - stake


def difference(bet_id: str, entry: Entry, found: BetState) -> str | None:
    """What differs between our entry and the aggregator's, in one line; None: nothing."""
    if found.code is not Code.DONE:
        return f"bet {bet_id}: the question was answered with code {found.code.value}"
    if found.state not in entry.states:
        return f"bet {bet_id}: {found.state} there, {' or '.join(sorted(entry.states))} here"
    if found.state == "settled":
        theirs = (found.bet_amount or ZERO, found.win_amount or ZERO)
        if theirs != (entry.stake, entry.win):
            here = f"{entry.stake} and {entry.win} here"
            return f"bet {bet_id}: {theirs[0]} and {theirs[1]} there, {here}"
    return None
