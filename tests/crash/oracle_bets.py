"""Rules about each bet: what was answered about it, and what the ledger has."""

from collections.abc import Iterator
from decimal import Decimal

from tests.crash.evidence import Ask, Bet, Evidence
from tests.crash.finding import Finding

# The ids of a code-1 answer, and the kind of transfer each names (PROTOCOL.md, rule 3).
_IDS = {
    "betTransactionId": "stake",
    "winTransactionId": "win",
    "refundTransactionId": "refund",
}
_NAMED = {
    "pay-in": ("betTransactionId",),
    "pay-out": ("winTransactionId",),
    "pay-in-out": ("betTransactionId", "winTransactionId"),
    "refund": ("refundTransactionId",),
}
_TAKES = ("pay-in", "pay-in-out")
_CREDITS = {"stake": False, "win": True, "refund": True, "win_reversal": False}
# States of a bet that was never taken, or was taken and given back.
_UNDONE = ("rejected", "cancelled", "refunded")


def a_yes_has_its_transfers(evidence: Evidence) -> Iterator[Finding]:
    """Each id of a code-1 answer names a transfer of that bet, of that amount; for ever."""
    for ask in _about_bets(evidence):
        if ask.code != 1:
            continue
        kinds = evidence.kinds(ask.provider, ask.bet)
        for name in _NAMED[ask.call]:
            move = kinds.get(_IDS[name])
            said = {"stake": ask.stake, "win": ask.win}.get(_IDS[name])
            if move is None or str(move.id) != ask.answer.get(name):
                yield Finding(f"{name} {ask.answer.get(name)} is not in the ledger", ask.bet, [ask])
            elif said is not None and move.amount != Decimal(said):
                yield Finding(f"{said} was asked, {move.amount} moved", ask.bet, [ask])
            elif move.account != ask.account:
                yield Finding(f"account {move.account} was moved", ask.bet, [ask])
        row = evidence.rows.get((ask.provider, ask.bet))
        if ask.call in _TAKES and row and not _is_of_its_round(row, ask):
            what = f"{ask.round} was played for the stake of {row.round}"
            yield Finding(what, ask.bet, [ask])


def a_no_has_none(evidence: Evidence) -> Iterator[Finding]:
    """A refusal says that the bet never counts, by this or any earlier request."""
    for ask in _about_bets(evidence):
        kinds = evidence.kinds(ask.provider, ask.bet)
        row = evidence.rows.get((ask.provider, ask.bet))
        if ask.call in _TAKES and ask.code in (3, 4, 5) and "stake" in kinds:
            yield Finding(f"refused with {ask.code}, and taken", ask.bet, [ask])
        elif _is_prize(ask) and ask.code in (3, 4, 5) and not _is_above_limit(evidence, ask):
            yield Finding(f"a win without a stake refused with {ask.code}", ask.bet, [ask])
        elif ask.call in _TAKES and ask.code == 7 and row and row.state not in _UNDONE:
            if _is_what_was_asked(row, ask):
                yield Finding("refused with 7, and done as it was asked", ask.bet, [ask])
        elif ask.call == "pay-out" and ask.code == 5 and row and _is_odd(row, ask):
            yield Finding("its win refused with 5, and paid", ask.bet, [ask])
        elif ask.call == "pay-out" and ask.code in (6, 7) and row and row.state not in _UNDONE:
            if _is_odd(row, ask) or _was_payable(evidence, row, ask):
                yield Finding(f"its win refused with {ask.code}, and owed", ask.bet, [ask])
        elif (
            ask.code in (2, 8) and row and row.is_made_by(ask) and not _was_sent_well(evidence, ask)
        ):
            yield Finding(f"refused with {ask.code}, and recorded", ask.bet, [ask])


def a_bet_happens_once(evidence: Evidence) -> Iterator[Finding]:
    """A bet has one row and one transfer of each kind, and a client asked for it."""
    seen: set[tuple[str, str]] = set()
    for row in evidence.bets:
        if (row.provider, row.bet) in seen:
            yield Finding("it is recorded twice", row.bet)
        seen.add((row.provider, row.bet))
        kinds = [move.kind for move in evidence.moved.get(row.id, [])]
        if len(set(kinds)) != len(kinds):
            yield Finding(f"it has the transfers {kinds}", row.bet)
        if (row.provider, row.bet) not in evidence.asked:
            yield Finding("nobody asked for it", row.bet)


def a_bet_is_whole(evidence: Evidence) -> Iterator[Finding]:
    """A bet has exactly the transfers of its state, whatever was answered."""
    for row in evidence.bets:
        moves = evidence.moved.get(row.id, [])
        found = sorted((move.kind, move.amount) for move in moves)
        allowed = [sorted(way.items()) for way in _ways(row)]
        if found not in allowed:
            yield Finding(f"{row.state} by {row.opened_by}, with {found}", row.bet)
        if any(_CREDITS.get(move.kind) is not move.credits for move in moves):
            yield Finding("a transfer goes in the wrong direction", row.bet)


def not_admitted_did_nothing(evidence: Evidence) -> Iterator[Finding]:
    """A request answered with 99 did nothing: no row of the ledger was made by it."""
    for ask in _about_bets(evidence):
        row = evidence.rows.get((ask.provider, ask.bet))
        if ask.code != 99 or row is None or _was_sent_well(evidence, ask):
            continue
        if row.is_made_by(ask) or _is_odd(row, ask):
            yield Finding("code 99, and the ledger has it", ask.bet, [ask])


def the_status_tells_which(evidence: Evidence) -> Iterator[Finding]:
    """After the campaign, the answered state of a bet is the state in the ledger."""
    quiet = min((event["at"] for event in evidence.named("quiet")), default=float("inf"))
    for ask in evidence.asks:
        if ask.call != "status" or ask.code != 1 or ask.at < quiet:
            continue
        if ask.answer["state"] == "in_flight" and _may_be_in_flight(evidence, ask):
            continue
        row = evidence.rows.get((ask.provider, ask.bet))
        expected = row.state if row else "unknown"
        if ask.answer["state"] != expected:
            yield Finding(f"{ask.answer['state']} was said, {expected} is true", ask.bet, [ask])
        kinds = evidence.kinds(ask.provider, ask.bet)
        for name, kind in _IDS.items():
            move = kinds.get(kind)
            if ask.answer[name] != (str(move.id) if move else None):
                yield Finding(f"{name} {ask.answer[name]} is not in the ledger", ask.bet, [ask])


def _may_be_in_flight(evidence: Evidence, ask: Ask) -> bool:
    """Whether a request about the bet was left in doubt, and another question followed."""
    asks = evidence.asked[ask.provider, ask.bet]
    is_doubtful = any(a.call in _NAMED and a.code in (0, None) for a in asks)
    return is_doubtful and asks[-1] is not ask


def _ways(row: Bet) -> list[dict[str, Decimal]]:
    """The transfers that a bet in this state may have (PROTOCOL.md, the table)."""
    stake, win = row.stake or Decimal(0), row.win or Decimal(0)
    if row.state == "open":
        return [{"stake": stake}]
    if row.state == "settled":
        return [{"stake": stake, "win": win}]
    if row.state == "cancelled":
        return [{"refund": Decimal(0)}]
    if row.state == "rejected":
        return [{}, {"refund": Decimal(0)}]
    back = {"stake": stake, "refund": stake}
    return [back if row.win is None else back | {"win": win, "win_reversal": win}]


def _about_bets(evidence: Evidence) -> Iterator[Ask]:
    return (ask for ask in evidence.asks if ask.call in _NAMED)


def _is_what_was_asked(row: Bet, ask: Ask) -> bool:
    opened_by = ask.call.replace("-", "_")
    same_win = ask.win is None or row.win == Decimal(ask.win)
    same_stake = row.stake == Decimal(ask.stake or 0)
    return row.opened_by == opened_by and same_stake and same_win and _is_of_its_round(row, ask)


def _is_of_its_round(row: Bet, ask: Ask) -> bool:
    """Whether both name the same round, or one of them none."""
    return not ask.round or row.round is None or row.round == ask.round


def _is_prize(ask: Ask) -> bool:
    """Whether it is a win without a stake; no provider is ever suspended here."""
    is_win = ask.call == "pay-in-out" and Decimal(ask.win or 0) > 0
    return is_win and Decimal(ask.stake or 0) == 0


def _is_above_limit(evidence: Evidence, ask: Ask) -> bool:
    """Whether a win was refused for a limit, which some provider has."""
    return bool(evidence.limits) and str(ask.answer.get("reason", "")).startswith("win_above_")


def _is_odd(row: Bet, ask: Ask) -> bool:
    """Whether the win of this row was brought by this request."""
    return ask.win is not None and row.odd is not None and row.odd == Decimal(ask.mark)


def _was_payable(evidence: Evidence, row: Bet, ask: Ask) -> bool:
    """Whether a refused pay-out was for a bet whose pay-in was known, or was done as it was asked.

    One that came before its pay-in is refused rightly: the next one is another request.
    """
    if row.opened_by != "pay_in":
        return False
    asks = evidence.asked[ask.provider, ask.bet]
    known = any(a.call == "pay-in" and a.code == 1 and a.answered < ask.at for a in asks)
    return known if ask.code == 6 else row.win is None or row.win == Decimal(ask.win or 0)


def _was_sent_well(evidence: Evidence, ask: Ask) -> bool:
    """Whether the very same bytes were also sent another time, which may have done it."""
    others = evidence.asked[ask.provider, ask.bet]
    return any(other is not ask and other.nonce == ask.nonce for other in others)
