"""What each call does to a bet in each state, and what becomes of the money."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial

from betcore_kit.conformance.case import case, ensure, table
from betcore_kit.conformance.cases.idempotency import unmoved
from betcore_kit.conformance.stage import Session, Stage, new_id
from betcore_kit.conformance.wire import Answer

TABLE = "What each call does"
order = partial(case, "order")
Step = Callable[[Session, str], Awaitable[Answer]]

#: The calls of the table, with the amounts that a bet of `STATES` has.
CALLS: dict[str, Step] = {
    "pay_in": lambda session, bet: session.pay_in(bet, "2"),
    "pay_in_out": lambda session, bet: session.pay_in_out(bet, "2", "5"),
    "pay_out": lambda session, bet: session.pay_out(bet, "5"),
    "refund": lambda session, bet: session.refund(bet),
}
#: How a bet comes into each state.
STATES = {
    "open": ("pay_in",),
    "settled_by_two_calls": ("pay_in", "pay_out"),
    "settled_by_one_call": ("pay_in_out",),
    "refunded": ("pay_in", "refund"),
    "cancelled": ("refund",),
}
#: The cells of the table that are 7: the state of a bet, and the calls.
CONFLICTS = {
    "open": ("pay_in_out",),
    "settled_by_two_calls": ("pay_in_out",),
    "settled_by_one_call": ("pay_in", "pay_out"),
    "refunded": ("pay_in", "pay_in_out", "pay_out"),
    "cancelled": ("pay_in", "pay_in_out", "pay_out"),
}


async def in_state(session: Session, state: str) -> str:
    """Bring a new bet into a state; its id."""
    bet = new_id()
    for call in STATES[state]:
        (await CALLS[call](session, bet)).expect(1)
    return bet


async def _conflicts(state: str, call: str, at: Stage) -> None:
    session = await at.session()
    bet = await in_state(session, state)
    told = (await session.provider.state(bet)).expect(1).fields
    await unmoved(session, await CALLS[call](session, bet), 7)
    (await session.provider.state(bet)).expect(1, **told)


for _state, _calls in CONFLICTS.items():
    for _call in _calls:
        _shown, _name = _state.replace("_", " "), _call.replace("_", "-")
        table(
            "order",
            TABLE,
            f"{_call}_of_a_bet_that_is_{_state}",
            f"A {_name} for a bet that is {_shown} is 7, moves nothing and changes nothing.",
            partial(_conflicts, _state, _call),
        )


@order(TABLE)
async def a_pay_in_takes_its_stake(at: Stage) -> None:
    """A pay-in takes its stake, and the bet is open."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    answer = (await session.pay_in(bet, "2.5")).expect(1, balance=before - Decimal("2.5"))
    told = (await session.provider.state(bet)).expect(1, state="open", betAmount=Decimal("2.5"))
    told.expect(1, betTransactionId=answer.id("betTransactionId"), winAmount=None)


@order(TABLE)
async def a_pay_out_pays_its_win(at: Stage) -> None:
    """A pay-out pays its win, and the bet is settled."""
    session, bet = await at.session(), new_id()
    taken = (await session.pay_in(bet, "2")).expect(1)
    paid = await session.pay_out(bet, "5.25")
    paid.expect(1, balance=taken.amount("balance") + Decimal("5.25"))
    told = (await session.provider.state(bet)).expect(1, state="settled")
    told.expect(1, winTransactionId=paid.id("winTransactionId"))


@order(TABLE)
async def a_win_of_0_settles_a_lost_bet(at: Stage) -> None:
    """A pay-out of 0 settles a lost bet, and has a transaction id."""
    session, bet = await at.session(), new_id()
    taken = (await session.pay_in(bet, "2")).expect(1)
    lost = (await session.pay_out(bet, "0")).expect(1, balance=taken.amount("balance"))
    lost.id("winTransactionId")
    (await session.provider.state(bet)).expect(1, state="settled")


@order(TABLE)
async def a_pay_in_out_does_both(at: Stage) -> None:
    """A pay-in-out takes the stake and pays the win, with two different transaction ids."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    answer = (await session.pay_in_out(bet, "2", "5")).expect(1, balance=before + 3)
    ids = {answer.id(name) for name in ("betTransactionId", "winTransactionId")}
    ensure(len(ids) == 2, f"Both transfers have one id: {answer.text}")
    (await session.provider.state(bet)).expect(1, state="settled")


@order("What each call does, rule 2")
async def the_stake_is_covered_before_the_win_is_added(at: Stage) -> None:
    """A pay-in-out whose stake is above the balance is 4, however large its win is."""
    session = await at.session()
    stake = await session.balance() + 1
    await unmoved(session, await session.pay_in_out(new_id(), stake, stake + 1), 4)


@order("What each call does, rule 2")
async def the_whole_balance_may_be_staked(at: Stage) -> None:
    """A stake of the whole balance is taken, and one of 0.01 more is refused with 4."""
    session, bet = await at.session(), new_id()
    stake = await session.balance()
    await unmoved(session, await session.pay_in(new_id(), stake + Decimal("0.01")), 4)
    (await session.pay_in(bet, stake)).expect(1, balance=0)
    (await session.refund(bet)).expect(1, balance=stake)


@order("What each call does, rule 2")
async def a_stake_of_0_is_legal(at: Stage) -> None:
    """A pay-in of 0 opens a bet, has a transaction id, and takes nothing."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "0")).expect(1, balance=before).id("betTransactionId")
    (await session.pay_out(bet, "3")).expect(1, balance=before + 3)


@order("What each call does, rule 9")
async def a_further_win_has_a_stake_of_0(at: Stage) -> None:
    """A further win of a round comes as a pay-in-out with stake 0 and a `betId` of its own."""
    session, round_id = await at.session(), new_id()
    (await session.pay_in_out(new_id(), "2", "0", gameRoundId=round_id)).expect(1)
    before = await session.balance()
    answer = await session.pay_in_out(new_id(), "0", "7", gameRoundId=round_id)
    answer.expect(1, balance=before + 7)


@order(TABLE)
async def a_pay_out_without_its_bet_is_6(at: Stage) -> None:
    """A pay-out for a bet that never came is 6, and pays nothing."""
    session = await at.session()
    await unmoved(session, await session.pay_out(new_id(), "5"), 6, error="bet_not_found")


@order(TABLE)
async def a_pay_out_that_comes_too_early_is_not_recorded(at: Stage) -> None:
    """After a pay-out that was refused with 6, the bet and the same pay-out succeed."""
    session, bet = await at.session(), new_id()
    (await session.pay_out(bet, "5")).expect(6)
    (await session.provider.state(bet)).expect(1, state="unknown")
    (await session.pay_in(bet, "2")).expect(1)
    (await session.pay_out(bet, "5")).expect(1)


@order(TABLE)
async def a_pay_out_of_a_rejected_bet_is_6(at: Stage) -> None:
    """A pay-out for a bet that was rejected is 6, and pays nothing."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, await session.balance() + 1)).expect(4)
    await unmoved(session, await session.pay_out(bet, "5"), 6)


@order("What each call does, rule 3")
async def every_id_names_one_transfer(at: Stage) -> None:
    """Transaction ids are never given twice."""
    session = await at.session()
    answers = [await session.pay_in_out(new_id(), "0.01", "0.01") for _ in range(4)]
    names = ("betTransactionId", "winTransactionId")
    ids = [answer.expect(1).id(name) for answer in answers for name in names]
    ensure(len(set(ids)) == len(ids), f"Ids were given twice: {ids}")
