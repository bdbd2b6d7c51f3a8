"""The rules for any sequence of calls, compared with a small model in whole cents."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.ledger.rules import decide
from models.ledger.state import Bet, Kind, Session
from tests.unit.test_rules import ACCOUNT, CALL, RECORDED, SESSION, SESSIONS

CENTS = st.integers(0, 1200)
CALLS = st.tuples(st.integers(0, 5), CENTS, CENTS, st.sampled_from(SESSIONS))


@settings(max_examples=500)
@given(st.integers(0, 2000), st.lists(CALLS, max_size=40))
@example(100, [(0, 100, 0, SESSION), (0, 100, 0, SESSION), (0, 100, 1, SESSION)])
def test_any_calls_in_any_order_do_what_a_small_model_says(
    start: int, calls: list[tuple[int, int, int, Session]]
) -> None:
    account, bets = replace(ACCOUNT, balance=Decimal(start) / 100), dict[str, Bet]()
    cents, known = start, dict[int, tuple[int, int, int]]()

    for number, stake, win, session in calls:
        name, call = f"bet {number}", replace(CALL, bet_id=f"bet {number}")
        call = replace(call, stake=Decimal(stake) / 100, win=Decimal(win) / 100)
        before = deepcopy((bets.get(name), account, session))
        decision = decide(bets.get(name), account, session, call)
        assert (bets.get(name), account, session) == before

        if number in known:
            first = known[number]
            expected = first[2] if first[:2] == (stake, win) else 7
        else:
            expected = model_of_a_new_bet(cents, stake, win, session)
            cents += win - stake if expected == 1 else 0
            if expected != 3 and not (expected == 5 and is_owed(stake, win)):
                known[number] = (stake, win, expected)
        assert decision.code == expected

        for kind, amount in decision.moves:
            account.balance += amount if kind is Kind.WIN else -amount
            assert account.balance >= 0
        assert account.balance * 100 == cents
        if decision.records is not None:
            refused = None if decision.code == 1 else decision.code
            recorded = replace(RECORDED, state=decision.records, refused_with=refused)
            bets[name] = replace(recorded, bet_id=name, stake=call.stake, win=call.win)


def is_owed(stake: int, win: int) -> bool:
    """Whether it is a win without a stake."""
    return stake == 0 and win > 0


def model_of_a_new_bet(cents: int, stake: int, win: int, session: Session) -> int:
    """The code of a new bet, in whole cents."""
    if is_owed(stake, win):
        return 5 if session.provider_suspended else 1
    if session.closed or session.expired:
        return 3
    least, most = session.min_bet or 0, session.max_bet
    fits = (stake == 0 or stake >= least * 100) and (most is None or stake <= most * 100)
    if session.player_blocked or session.provider_suspended or not fits:
        return 5
    return 1 if cents >= stake else 4
