"""Limits of stakes and of wins."""

from decimal import Decimal
from functools import partial

from betcore_kit.conformance.case import Lacking, case
from betcore_kit.conformance.cases.idempotency import unmoved
from betcore_kit.conformance.stage import Session, Stage, new_id

CODES = "_responseCode and HTTP status"
WINS = "A win above a limit"
limits = partial(case, "limits")


async def limited(at: Stage) -> tuple[Session, Decimal, Decimal]:
    """Return a session with limits, its least stake, and its greatest."""
    session = await at.session("limited")
    least, most = session.opened.min_bet, session.opened.max_bet
    if least is None or most is None:
        raise Lacking("The session of the kind limited needs `min_bet` and `max_bet`.")
    return session, least, most


@limits(CODES)
async def a_stake_below_the_minimum_is_5(at: Stage) -> None:
    """A stake below the session's minimum is 5 with the reason `below_limit`."""
    session, least, _ = await limited(at)
    stake = least - Decimal("0.01")
    refused = await session.pay_in(new_id(), stake)
    await unmoved(session, refused, 5, error="not_allowed", reason="below_limit")


@limits(CODES)
async def a_stake_above_the_maximum_is_5(at: Stage) -> None:
    """A stake above the session's maximum is 5 with the reason `above_limit`."""
    session, _, most = await limited(at)
    stake = most + Decimal("0.01")
    for answer in (
        await session.pay_in(new_id(), stake),
        await session.pay_in_out(new_id(), stake, 0),
    ):
        await unmoved(session, answer, 5, reason="above_limit")


@limits(CODES)
async def the_limits_themselves_are_allowed(at: Stage) -> None:
    """A stake of just the minimum, and one of just the maximum, are taken."""
    session, least, most = await limited(at)
    for stake in (least, most):
        (await session.pay_in_out(new_id(), stake, stake)).expect(1)


@limits("What each call does, rule 2")
async def the_minimum_does_not_apply_to_a_stake_of_0(at: Stage) -> None:
    """A stake of 0 is taken although it is below the minimum."""
    session, _, _ = await limited(at)
    (await session.pay_in(new_id(), "0")).expect(1)


@limits("What each call does")
async def a_win_without_a_stake_has_no_limit_of_stakes(at: Stage) -> None:
    """A win without a stake above the maximum stake is paid."""
    session, _, most = await limited(at)
    before = await session.balance()
    (await session.pay_in_out(new_id(), "0", most + 1)).expect(1, balance=before + most + 1)


@limits("What each call does")
async def a_limit_is_checked_before_the_balance(at: Stage) -> None:
    """A stake above the maximum and above the balance is 5, not 4."""
    session, _, _ = await limited(at)
    stake = await session.balance() + 1000
    (await session.pay_in(new_id(), stake)).expect(5, reason="above_limit")


@limits(CODES)
async def insufficient_funds_tells_the_balance(at: Stage) -> None:
    """A stake above the balance is 4 with the balance, and the bet is rejected."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    answer = await session.pay_in(bet, before + Decimal("0.01"))
    answer.expect(4, error="insufficient_funds", balance=before, reason=None)
    (await session.provider.state(bet)).expect(1, state="rejected", refusedWith=4)


async def set_limits(there: Stage, **wins: str) -> None:
    """Set the limits of wins in EUR of a provider."""
    await there.act("limits", wins=[{"currency": "EUR"} | wins])


async def with_limit(at: Stage, **wins: str) -> tuple[Stage, Session]:
    """Return a stage of a provider with these limits of wins in EUR, and a session of it."""
    there = await at.elsewhere()
    session = await there.session()
    await set_limits(there, **wins)
    return there, session


@limits(WINS)
async def a_pay_in_out_above_the_limit_of_a_win_is_recorded(at: Stage) -> None:
    """A pay-in-out whose win is above the provider's limit is 5, and is rejected for ever."""
    there, session = await with_limit(at, maxWin="10")
    bet = new_id()
    refused = await session.pay_in_out(bet, "1", "10.01")
    await unmoved(session, refused, 5, reason="win_above_limit")
    await set_limits(there, maxWin="100")
    again = await session.pay_in_out(bet, "1", "10.01")
    await unmoved(session, again, 5, reason="win_above_limit")
    (await session.pay_in_out(new_id(), "1", "10.01")).expect(1)


@limits(WINS)
async def a_pay_out_above_the_limit_of_a_win_is_not_recorded(at: Stage) -> None:
    """A pay-out above the limit is 5, the bet stays open, and is paid once the limit is raised."""
    there, session = await with_limit(at, maxWin="10")
    bet = new_id()
    (await session.pay_in(bet, "1")).expect(1)
    await unmoved(session, await session.pay_out(bet, "10.01"), 5, reason="win_above_limit")
    (await session.provider.state(bet)).expect(1, state="open")
    await set_limits(there, maxWin="100")
    before = await session.balance()
    (await session.pay_out(bet, "10.01")).expect(1, balance=before + Decimal("10.01"))


@limits(WINS)
async def a_win_of_just_the_limit_is_paid(at: Stage) -> None:
    """A win of just the limit is paid, and so is a loss."""
    _, session = await with_limit(at, maxWin="10")
    (await session.pay_in_out(new_id(), "1", "10")).expect(1)
    (await session.pay_in_out(new_id(), "1", "0")).expect(1)


@limits(WINS)
async def wins_of_a_day_have_a_limit(at: Stage) -> None:
    """A win with which the wins of the day are above their limit is 5."""
    _, session = await with_limit(at, maxDailyWin="10")
    (await session.pay_in_out(new_id(), "1", "8")).expect(1)
    refused = await session.pay_in_out(new_id(), "1", "2.01")
    await unmoved(session, refused, 5, reason="win_above_daily_limit")
    (await session.pay_in_out(new_id(), "1", "2")).expect(1)


@limits(WINS)
async def a_win_without_a_stake_above_the_limit_is_not_recorded(at: Stage) -> None:
    """A win without a stake above the limit is 5, and is paid once the limit is raised."""
    there, session = await with_limit(at, maxWin="10")
    win = new_id()
    await unmoved(session, await session.pay_in_out(win, "0", "11"), 5, reason="win_above_limit")
    await set_limits(there, maxWin="100")
    (await session.pay_in_out(win, "0", "11")).expect(1)
