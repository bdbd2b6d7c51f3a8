"""What the client does next, as generators: no socket, no clock, no thread.

A plan yields `Send` or `Pause`, and is sent the `Reply` of what it sent. The shells in `clients.py`
do what it says. So the sync and the async client cannot differ.
"""

from collections.abc import Generator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from betcore_kit.answers import (
    ABOUT_THE_REQUEST,
    FINAL,
    BalanceAnswer,
    BetAnswer,
    BetState,
    Code,
    Outcome,
    RoundBets,
    balance_answer,
    bet_answer,
    bet_state,
    code_of,
    read_fields,
)
from betcore_kit.calls import Bet, Call, PayIn, PayOut, Refund, balance_call, bets_call
from betcore_kit.client.hooks import Reply
from betcore_kit.client.schedule import Schedule

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """Sign this with a new nonce, and send it. `why` is for the hooks."""

    call: Call
    why: str = "first"


@dataclass(frozen=True)
class Pause:
    """Wait that long."""

    seconds: float


Plan = Generator[Send | Pause, Reply | None, T]


def play(bet: Bet, schedule: Schedule) -> Plan[BetAnswer]:
    """Do a call about a bet: repeat it, ask about it, and refund it last.

    1. Code 1 to 8 is final. After a doubt, 2 and 8 are not: they say nothing about the request
       before, which may have been applied.
    2. Code 99, or no connection: nothing was admitted. Send again after `Retry-After`.
    3. Code 0 or no answer: repeat at once. The betId is the same, the nonce is new.
    4. Still unknown: ask for the state of the bet, while it is in flight.
    5. Still unknown: refund a stake. Send again what is owed.
    """
    answer = yield from _try(bet.call(), schedule)
    if answer is not None:
        return answer
    for pause in schedule.questions:
        yield Pause(pause)
        state = yield from state_of(bet.bet_id)
        answer = told(bet, state)
        if answer is not None:
            return answer
        if state.state in (None, "in_flight"):
            continue
        if bet.can_be_given_up:
            break
        answer = yield from _try(bet.call(), schedule, "again")
        if answer is not None:
            return answer
    if not bet.can_be_given_up or not schedule.refund_last:
        return bet_answer(None)
    return (yield from _give_up(bet, schedule))


def balance_of(session_id: str, schedule: Schedule) -> Plan[BalanceAnswer]:
    """Ask for a balance. A question may be repeated as often as one likes."""
    return balance_answer((yield from _final(balance_call(session_id), schedule)))


def state_of(bet_id: str) -> Plan[BetState]:
    """Ask once for the state of a bet."""
    reply = yield Send(bets_call(betId=bet_id), "question")
    return bet_state(_fields(reply))


def state_for_sure(schedule: Schedule, **query: str) -> Plan[BetState]:
    """Ask for the state of a bet, and repeat the question if no answer comes."""
    return bet_state((yield from _final(bets_call(**query), schedule)))


def round_of(game_round_id: str, schedule: Schedule) -> Plan[RoundBets]:
    """Ask for all bets of a round, page by page."""
    bets: list[BetState] = []
    query = {"gameRoundId": game_round_id}
    while True:
        page = yield from _final(bets_call(**query), schedule)
        code, items = code_of(page), (page or {}).get("items")
        if code is not Code.DONE or not isinstance(items, list):
            return RoundBets(Code.UNKNOWN if code is Code.DONE else code, tuple(bets))
        bets += [bet_state(item, code) for item in items]
        more = (page or {}).get("next")
        if more is None:
            return RoundBets(code, tuple(bets))
        if str(more) == query.get("cursor"):  # a wallet that goes round in circles
            return RoundBets(Code.UNKNOWN, tuple(bets))
        query["cursor"] = str(more)


def told(bet: Bet, state: BetState) -> BetAnswer | None:
    """Return what the state of a bet says about a call, or None if it decides nothing.

    The state has no balance. A state that belongs to another call is a conflict (7), as in the
    table of PROTOCOL.md.
    """
    here = state.state
    if here in (None, "in_flight", "unknown"):
        return None
    if isinstance(bet, Refund):
        return _done(state) if state.refund_transaction_id is not None else None
    if here == "rejected":
        same = isinstance(bet, PayOut) or _same(bet, state)
        code = Code.BET_NOT_FOUND if isinstance(bet, PayOut) else Code(state.refused_with or 7)
        return _refused(code if same else Code.BET_CONFLICT, state.reason)
    if here == "open" and isinstance(bet, PayOut):
        return None
    applied = ("open", "settled") if isinstance(bet, PayIn) else ("settled",)
    return _done(state) if here in applied and _same(bet, state) else _refused(Code.BET_CONFLICT)


def _try(call: Call, schedule: Schedule, why: str = "first") -> Plan[BetAnswer | None]:
    """Send until an answer is final. None: the call may have been applied, or not."""
    repeats, laters, is_doubtful = schedule.repeats, schedule.try_later, False
    while True:
        reply = yield Send(call, why)
        fields = _fields(reply)
        code = code_of(fields)
        if code in FINAL and not (is_doubtful and code in ABOUT_THE_REQUEST):
            return bet_answer(fields)
        if _is_not_admitted(reply, fields):
            if not laters:
                return None if is_doubtful else bet_answer(fields, Outcome.NOT_ADMITTED)
            laters, why = laters - 1, "not admitted"
            yield Pause(_retry_after(reply, schedule))
        else:
            is_doubtful = True
            if not repeats:
                return None
            repeats, why = repeats - 1, "unknown outcome"


def _final(call: Call, schedule: Schedule) -> Plan[dict[str, object] | None]:
    """Ask until an answer is final, or the repeats are used up; the last answer."""
    for left in range(schedule.repeats + schedule.try_later, -1, -1):
        reply = yield Send(call, "question")
        fields = _fields(reply)
        if code_of(fields) in FINAL or not left:
            break
        yield Pause(_retry_after(reply, schedule) if _is_not_admitted(reply, fields) else 0.0)
    return fields


def _give_up(bet: Bet, schedule: Schedule) -> Plan[BetAnswer]:
    """Close a bet by its refund. Repeats of the refund are the schedule's as well."""
    refund = Refund(bet.session_id, bet.bet_id, game_round_id=bet.game_round_id)
    closed = yield from play(refund, schedule)
    if closed.ok:
        ids = closed.refund_transaction_id
        return BetAnswer(Outcome.CANCELLED, Code.DONE, closed.balance, refund_transaction_id=ids)
    if closed.outcome is Outcome.REFUSED:  # its win is spent already, so the bet stands
        return told(bet, (yield from state_of(bet.bet_id))) or bet_answer(None)
    return bet_answer(None)


def _fields(reply: Reply | None) -> dict[str, object] | None:
    return read_fields(reply.body) if reply else None


def _is_not_admitted(reply: Reply | None, fields: dict[str, object] | None) -> bool:
    never_left = reply is not None and not reply.status and not reply.was_sent
    return never_left or code_of(fields) is Code.TRY_LATER


def _retry_after(reply: Reply | None, schedule: Schedule) -> float:
    text = reply.retry_after if reply else ""
    seconds = float(text) if text.isascii() and text.isdigit() else 1.0
    return min(seconds, schedule.retry_after_max)


def _same(bet: Bet, state: BetState) -> bool:
    """Whether the recorded amounts are those of the call."""

    def equal(mine: Decimal | None, recorded: Decimal | None) -> bool:
        return mine is None or mine == recorded

    return equal(bet.stake, state.bet_amount) and equal(bet.win, state.win_amount)


def _done(state: BetState) -> BetAnswer:
    return BetAnswer(
        Outcome.DONE,
        Code.DONE,
        bet_transaction_id=state.bet_transaction_id,
        win_transaction_id=state.win_transaction_id,
        refund_transaction_id=state.refund_transaction_id,
    )


def _refused(code: Code, reason: str | None = None) -> BetAnswer:
    return BetAnswer(Outcome.REFUSED, code, reason=reason)
