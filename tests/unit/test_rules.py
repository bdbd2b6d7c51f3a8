"""Every money rule, as PROTOCOL.md's table has it: the column pay-in-out, and deposits."""

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from models.cells import Decision
from models.commands import Deposit, PayInOut
from models.rules import decide, decide_cash
from models.state import Account, Bet, BetState, Booked, Kind, OpenedBy, Session

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
    ended=False,
    allowed=True,
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
    "refunded after pay-in": (replace(RECORDED, opened_by=PAY_IN, state=BetState.REFUNDED), 7),
    "refunded after pay-in-out": (replace(RECORDED, state=BetState.REFUNDED), 7),
    "cancelled": (
        replace(RECORDED, opened_by=REFUND, state=BetState.CANCELLED, stake=None, win=None),
        7,
    ),
}
# Whatever the player and the session are like by now: it changes nothing about a recorded bet.
BALANCES = [Decimal(0), Decimal("9.99"), Decimal("10"), Decimal(10) ** 18]
SESSIONS = [
    replace(SESSION, ended=ended, allowed=allowed, min_bet=least, max_bet=most)
    for ended, allowed, (least, most) in product(
        [False, True],
        [False, True],
        [(None, None), (Decimal(1), Decimal(10)), (Decimal(11), None), (None, Decimal(9))],
    )
]
OTHER_DATA = {
    "another stake": replace(CALL, stake=Decimal("10.01")),
    "another win": replace(CALL, win=Decimal("25.51")),
    "no stake": replace(CALL, stake=Decimal(0)),
    "no win": replace(CALL, win=Decimal(0)),
    "stake and win exchanged": replace(CALL, stake=CALL.win, win=CALL.stake),
}
SAME_DATA = {
    "the very same": CALL,
    "other decimals": replace(CALL, stake=Decimal("10.000"), win=Decimal("2.55E+1")),
    "another round and odd": replace(CALL, round_id="another", odd=Decimal(3)),
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

        assert decision == Decision(code, answers), (balance, session)


@pytest.mark.parametrize("other", OTHER_DATA)
@pytest.mark.parametrize("row", ROWS)
def test_other_data_about_a_recorded_bet_is_always_a_conflict(row: str, other: str) -> None:
    for balance, session in product(BALANCES, SESSIONS):
        account = replace(ACCOUNT, balance=balance)

        assert decide(ROWS[row][0], account, session, OTHER_DATA[other]) == Decision(7)


@pytest.mark.parametrize("row", ROWS)
def test_a_bet_of_another_account_is_a_conflict_whatever_became_of_it(row: str) -> None:
    bet = replace(ROWS[row][0], account_id=43)

    for session in SESSIONS:
        assert decide(bet, ACCOUNT, session, CALL) == Decision(7)


def test_a_late_repeat_comes_with_a_new_session_and_is_the_same_bet() -> None:
    session = replace(SESSION, id="a new one", house_account_id=2)

    decision = decide(RECORDED, ACCOUNT, session, replace(CALL, session_id="a new one"))

    assert decision == Decision(1, (Kind.STAKE, Kind.WIN))


@pytest.mark.parametrize("bet", [None, *[bet for bet, _ in ROWS.values()]])
def test_a_session_that_is_unknown_or_not_the_callers_is_3_before_anything_else(
    bet: Bet | None,
) -> None:
    for session in SESSIONS:
        for wrong in (None, replace(session, provider_id=8), replace(session, account_id=43)):
            assert decide(bet, ACCOUNT, wrong, CALL) == Decision(3)
        assert decide(bet, None, session, CALL) == Decision(3)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("ended", [False, True])
def test_a_new_bet_is_checked_in_the_order_of_the_protocol(
    ended: bool, blocked: bool, outside: bool, short: bool
) -> None:
    account = replace(ACCOUNT, balance=Decimal("9.99") if short else Decimal("10"))
    limit = Decimal("9.99") if outside else Decimal("10")
    session = replace(SESSION, ended=ended, allowed=not blocked, max_bet=limit)
    in_order = [(ended, 3), (blocked, 5), (outside, 5), (short, 4)]
    code = next((code for broken, code in in_order if broken), 1)

    decision = decide(None, account, session, CALL)

    if code == 1:
        moves = ((Kind.STAKE, STAKE), (Kind.WIN, WIN))
        assert decision == Decision(1, (Kind.STAKE, Kind.WIN), moves, BetState.SETTLED)
    elif code == 3:
        assert decision == Decision(3)
    else:
        assert decision == Decision(code, records=BetState.REJECTED)
    assert decision.is_repeatable == (code == 3)


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

    assert decide(None, ACCOUNT, SESSION, call) == Decision(4, records=BetState.REJECTED)


@pytest.mark.parametrize(
    ("booked", "decision"),
    [
        (None, Decision(1, (Kind.DEPOSIT,), ((Kind.DEPOSIT, Decimal("5.5")),))),
        (Booked(1, 42, Kind.DEPOSIT, Decimal("5.50")), Decision(1, (Kind.DEPOSIT,))),
        (Booked(1, 43, Kind.DEPOSIT, Decimal("5.5")), Decision(7)),
        (Booked(1, 42, Kind.DEPOSIT, Decimal("5.51")), Decision(7)),
        (Booked(1, 42, Kind.REFUND, Decimal("5.5")), Decision(7)),
    ],
)
def test_a_deposit_is_made_once_per_reference(booked: Booked | None, decision: Decision) -> None:
    assert decide_cash(booked, ACCOUNT, Deposit(42, "reference", Decimal("5.5"))) == decision
