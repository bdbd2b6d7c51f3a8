"""Every money rule of PROTOCOL.md's table: the column pay-in-out, and deposits."""

from dataclasses import replace
from decimal import Decimal
from itertools import combinations, product
from typing import Any

import pytest

from models.codes import Code
from models.commands import BetCommand, Deposit, PayIn, PayInOut
from models.ledger.rules import Decision, decide, decide_cash
from models.ledger.state import Account, Bet, BetState, Booked, Kind, OpenedBy, Session
from models.reason import Reason

STAKE, WIN = Decimal("10"), Decimal("25.5")
CALL = PayInOut(
    provider_id=7,
    session_id="session",
    account_id=42,
    bet_id="bet",
    round_id="round",
    stake=STAKE,
    win=WIN,
)
ACCOUNT = Account(id=42, balance=Decimal("10"), seq=3)
SESSION = Session(
    id="session",
    provider_id=7,
    account_id=42,
    house_account_id=1,
    min_bet=None,
    max_bet=None,
    closed=False,
    expired=False,
    player_blocked=False,
    provider_suspended=False,
)
RECORDED = Bet(
    id=1000,
    provider_id=7,
    bet_id="bet",
    account_id=42,
    session_id="session",
    round_id="round",
    opened_by=OpenedBy.PAY_IN_OUT,
    state=BetState.SETTLED,
    stake=Decimal("10"),
    win=Decimal("25.5"),
    odd=None,
    refused_with=None,
)
#: What may forbid a new bet, in the order in which it is looked at, and its code.
CAUSES = {
    "session_closed": 3,
    "session_expired": 3,
    "player_blocked": 5,
    "provider_suspended": 5,
    "above_limit": 5,
    "money": 4,
}
UNKNOWN = Decision(Code.SESSION_CLOSED, reason=Reason.SESSION_UNKNOWN)
PAY_IN, PAY_IN_OUT, REFUND = OpenedBy.PAY_IN, OpenedBy.PAY_IN_OUT, OpenedBy.REFUND

# The rows of the table that are recorded: what the bet is, and the code of the same call again.
ROWS: dict[str, tuple[Bet, int]] = {
    "open": (replace(RECORDED, opened_by=PAY_IN, state=BetState.OPEN, win=None), 7),
    "settled by pay-in and pay-out": (replace(RECORDED, opened_by=PAY_IN), 7),
    "settled by pay-in-out": (RECORDED, 1),
    "rejected by pay-in": (
        replace(RECORDED, opened_by=PAY_IN, state=BetState.REJECTED, refused_with=4, win=None),
        7,
    ),
    "rejected with 4": (replace(RECORDED, state=BetState.REJECTED, refused_with=4), 4),
    "rejected with 5": (replace(RECORDED, state=BetState.REJECTED, refused_with=5), 5),
    "rejected with a reason": (
        replace(
            RECORDED, state=BetState.REJECTED, refused_with=5, reason=Reason.PROVIDER_SUSPENDED
        ),
        5,
    ),
    "refunded after pay-in": (replace(RECORDED, opened_by=PAY_IN, state=BetState.REFUNDED), 7),
    "refunded after pay-in-out": (replace(RECORDED, state=BetState.REFUNDED), 7),
    "cancelled": (
        replace(RECORDED, opened_by=REFUND, state=BetState.CANCELLED, stake=None, win=None),
        7,
    ),
}
# Whatever the player and the session are like by now: it changes nothing about a recorded bet.
BALANCES = [Decimal(0), Decimal("9.99"), Decimal("10"), Decimal(10) ** 18]
AGAINST: list[dict[str, Any]] = [
    {},
    {"closed": True},
    {"expired": True},
    {"player_blocked": True},
    {"provider_suspended": True},
    dict.fromkeys(("closed", "expired", "player_blocked", "provider_suspended"), True),
]
SESSIONS = [
    replace(SESSION, **against, min_bet=least, max_bet=most)
    for against, (least, most) in product(
        AGAINST,
        [(None, None), (Decimal(1), Decimal(10)), (Decimal(11), None), (None, Decimal(9))],
    )
]
OTHER_DATA = {
    "another stake": replace(CALL, stake=Decimal("10.01")),
    "another win": replace(CALL, win=Decimal("25.51")),
    "no stake": replace(CALL, stake=Decimal(0)),
    "no win": replace(CALL, win=Decimal(0)),
    "stake and win exchanged": replace(CALL, stake=CALL.win, win=CALL.stake),
    "another round": replace(CALL, round_id="another"),
    "a round that looks the same": replace(CALL, round_id="Round"),
}
SAME_DATA = {
    "the very same": CALL,
    "other decimals": replace(CALL, stake=Decimal("10.000"), win=Decimal("2.55E+1")),
    "another odd": replace(CALL, odd=Decimal(3)),
    "no round": replace(CALL, round_id=None),
}


@pytest.mark.parametrize("same", SAME_DATA)
@pytest.mark.parametrize("row", ROWS)
def test_the_same_call_about_a_recorded_bet_is_answered_as_the_table_says_and_moves_nothing(
    row: str, same: str
) -> None:
    bet, code = ROWS[row]
    answers = (Kind.STAKE, Kind.WIN) if code == 1 else ()

    for balance, session in product(BALANCES, SESSIONS):
        decision = decide(bet, replace(ACCOUNT, balance=balance), session, SAME_DATA[same])

        assert decision == Decision(Code(code), answers, reason=bet.reason), (balance, session)


@pytest.mark.parametrize("other", OTHER_DATA)
@pytest.mark.parametrize("row", ROWS)
def test_other_data_about_a_recorded_bet_is_always_a_conflict(row: str, other: str) -> None:
    for balance, session in product(BALANCES, SESSIONS):
        account = replace(ACCOUNT, balance=balance)

        assert decide(ROWS[row][0], account, session, OTHER_DATA[other]) == Decision(
            Code.BET_CONFLICT
        )


@pytest.mark.parametrize("row", ROWS)
def test_a_bet_of_another_account_is_a_conflict_whatever_became_of_it(row: str) -> None:
    bet = replace(ROWS[row][0], account_id=43)

    for session in SESSIONS:
        assert decide(bet, ACCOUNT, session, CALL) == Decision(Code.BET_CONFLICT)


def test_a_late_repeat_comes_with_a_new_session_and_is_the_same_bet() -> None:
    session = replace(SESSION, id="a new one", house_account_id=2)

    decision = decide(RECORDED, ACCOUNT, session, replace(CALL, session_id="a new one"))

    assert decision == Decision(Code.DONE, (Kind.STAKE, Kind.WIN))


@pytest.mark.parametrize("bet", [None, *[bet for bet, _ in ROWS.values()]])
def test_a_session_that_is_unknown_or_not_the_callers_is_3_before_anything_else(
    bet: Bet | None,
) -> None:
    for session in SESSIONS:
        for wrong in (None, replace(session, provider_id=8), replace(session, account_id=43)):
            assert decide(bet, ACCOUNT, wrong, CALL) == UNKNOWN
        assert decide(bet, None, session, CALL) == UNKNOWN


@pytest.mark.parametrize(
    "against", [set(group) for n in range(7) for group in combinations(CAUSES, n)]
)
def test_a_new_bet_is_checked_in_the_order_of_the_protocol(against: set[str]) -> None:
    account = replace(ACCOUNT, balance=Decimal("9.99") if "money" in against else Decimal("10"))
    limit = Decimal("9.99") if "above_limit" in against else Decimal("10")
    session = replace(
        SESSION,
        closed="session_closed" in against,
        expired="session_expired" in against,
        player_blocked="player_blocked" in against,
        provider_suspended="provider_suspended" in against,
        max_bet=limit,
    )
    first = next((cause for cause in CAUSES if cause in against), None)

    decision = decide(None, account, session, CALL)

    if first is None:
        moves = ((Kind.STAKE, STAKE), (Kind.WIN, WIN))
        assert decision == Decision(Code.DONE, (Kind.STAKE, Kind.WIN), moves, BetState.SETTLED)
    elif first == "money":
        assert decision == Decision(Code.INSUFFICIENT_FUNDS, records=BetState.REJECTED)
    elif CAUSES[first] == 3:
        assert decision == Decision(Code.SESSION_CLOSED, reason=Reason(first))
    else:
        assert decision == Decision(
            Code.NOT_ALLOWED, records=BetState.REJECTED, reason=Reason(first)
        )
    assert decision.is_repeatable == (decision.code == 3)


@pytest.mark.parametrize("stake", ["0", "0.00", "0E+5"])
@pytest.mark.parametrize("win", ["0.01", "1E+14"])
def test_a_win_without_a_stake_is_refused_by_a_suspended_provider_alone_and_not_recorded(
    stake: str, win: str
) -> None:
    call = replace(CALL, stake=Decimal(stake), win=Decimal(win))
    moves = ((Kind.STAKE, Decimal(0)), (Kind.WIN, Decimal(win)))
    paid = Decision(Code.DONE, (Kind.STAKE, Kind.WIN), moves, BetState.SETTLED)
    waits = Decision(Code.NOT_ALLOWED, lasts=False, reason=Reason.PROVIDER_SUSPENDED)

    for balance, session in product(BALANCES, SESSIONS):
        decision = decide(None, replace(ACCOUNT, balance=balance), session, call)

        assert decision == (waits if session.provider_suspended else paid)
        assert not decision.is_repeatable


@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, stake=Decimal(0), win=Decimal("0.00")),
        replace(CALL, stake=Decimal("0.01"), win=Decimal(1000)),
        PayIn(7, "session", 42, "bet", stake=Decimal(0)),
    ],
    ids=["nothing at all", "a small stake", "a pay-in"],
)
def test_all_else_is_checked_as_a_stake_is(call: BetCommand) -> None:
    ended = replace(SESSION, closed=True)
    blocked = replace(SESSION, player_blocked=True)

    assert decide(None, ACCOUNT, ended, call).code == 3
    assert decide(None, ACCOUNT, blocked, call) == Decision(
        Code.NOT_ALLOWED, records=BetState.REJECTED, reason=Reason.PLAYER_BLOCKED
    )


@pytest.mark.parametrize(
    ("least", "most", "reason"), [("11", None, Reason.BELOW_LIMIT), (None, "9", Reason.ABOVE_LIMIT)]
)
def test_a_stake_outside_the_limits_says_on_which_side(
    least: str | None, most: str | None, reason: Reason
) -> None:
    limits = [None if limit is None else Decimal(limit) for limit in (least, most)]
    session = replace(SESSION, min_bet=limits[0], max_bet=limits[1])

    assert decide(None, ACCOUNT, session, CALL).reason is reason


@pytest.mark.parametrize(
    ("least", "most", "stake", "code"),
    [
        (None, None, "0", 1),
        ("1", None, "1", 1),
        ("1", None, "0.99", 5),
        ("1", None, "0", 1),  # a free round is outside the minimum
        ("1", "5", "5.00", 1),
        (None, "5", "5.01", 5),
        ("5", "5", "5", 1),
        (None, "0", "0", 1),
        (None, "0", "0.01", 5),
        ("0", None, "0.01", 1),
    ],
)
def test_limits_hold_at_their_edges(
    least: str | None, most: str | None, stake: str, code: int
) -> None:
    session = replace(
        SESSION,
        min_bet=None if least is None else Decimal(least),
        max_bet=None if most is None else Decimal(most),
    )

    assert decide(None, ACCOUNT, session, replace(CALL, stake=Decimal(stake))).code == code


def test_the_win_does_not_pay_for_the_stake() -> None:
    call = replace(CALL, stake=Decimal("10.01"), win=Decimal(1000))

    assert decide(None, ACCOUNT, SESSION, call) == Decision(
        Code.INSUFFICIENT_FUNDS, records=BetState.REJECTED
    )


@pytest.mark.parametrize(
    ("booked", "decision"),
    [
        (None, Decision(Code.DONE, (Kind.DEPOSIT,), ((Kind.DEPOSIT, Decimal("5.5")),))),
        (Booked(1, 42, Kind.DEPOSIT, Decimal("5.50")), Decision(Code.DONE, (Kind.DEPOSIT,))),
        (Booked(1, 43, Kind.DEPOSIT, Decimal("5.5")), Decision(Code.BET_CONFLICT)),
        (Booked(1, 42, Kind.DEPOSIT, Decimal("5.51")), Decision(Code.BET_CONFLICT)),
        (Booked(1, 42, Kind.REFUND, Decimal("5.5")), Decision(Code.BET_CONFLICT)),
    ],
)
def test_a_deposit_is_made_once_per_reference(booked: Booked | None, decision: Decision) -> None:
    assert decide_cash(booked, ACCOUNT, Deposit(42, "reference", Decimal("5.5"))) == decision
