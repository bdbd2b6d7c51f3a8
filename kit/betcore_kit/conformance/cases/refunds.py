"""Refunds: what they give back, and what they close."""

from functools import partial

from betcore_kit.conformance.case import case, ensure
from betcore_kit.conformance.cases.idempotency import unmoved
from betcore_kit.conformance.stage import Stage, new_id

TABLE = "What each call does"
refunds = partial(case, "refunds")


@refunds(TABLE)
async def a_refund_gives_the_stake_back(at: Stage) -> None:
    """The refund of an open bet gives its stake back, and the bet is refunded."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "2")).expect(1)
    answer = (await session.refund(bet)).expect(1, balance=before)
    told = (await session.provider.state(bet)).expect(1, state="refunded")
    told.expect(1, refundTransactionId=answer.id("refundTransactionId"))


@refunds(TABLE)
async def a_refund_takes_a_win_back(at: Stage) -> None:
    """The refund of a bet that was settled by pay-in and pay-out takes its win back as well."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "2")).expect(1)
    (await session.pay_out(bet, "5")).expect(1)
    (await session.refund(bet)).expect(1, balance=before).id("refundTransactionId")
    (await session.provider.state(bet)).expect(1, state="refunded")


@refunds(TABLE)
async def a_pay_in_out_may_be_refunded(at: Stage) -> None:
    """The refund of a pay-in-out gives its stake back and takes its win back."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in_out(bet, "2", "5")).expect(1)
    (await session.refund(bet)).expect(1, balance=before)


@refunds(TABLE)
async def a_win_that_is_spent_cannot_be_taken_back(at: Stage) -> None:
    """A refund that would leave less than nothing is 7, and may succeed later."""
    session, bet, spent = await at.session(), new_id(), new_id()
    before = await session.balance()
    (await session.pay_in_out(bet, "1", "3")).expect(1)
    (await session.pay_in(spent, before + 2)).expect(1, balance=0)
    await unmoved(session, await session.refund(bet), 7)
    (await session.provider.state(bet)).expect(1, state="settled")
    (await session.refund(spent)).expect(1)
    (await session.refund(bet)).expect(1, balance=before)


@refunds(TABLE)
async def a_refund_of_an_unknown_bet_is_1(at: Stage) -> None:
    """The refund of a bet that never came is 1, moves nothing, and has a transaction id."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    answer = (await session.refund(bet)).expect(1, balance=before)
    told = (await session.provider.state(bet)).expect(1, state="cancelled", betAmount=None)
    told.expect(1, refundTransactionId=answer.id("refundTransactionId"))


@refunds(TABLE)
async def a_tombstone_closes_its_bet_for_ever(at: Stage) -> None:
    """A pay-in that comes after its refund is 7 each time, and takes nothing."""
    session, bet = await at.session(), new_id()
    (await session.refund(bet)).expect(1)
    for _ in range(2):
        await unmoved(session, await session.pay_in(bet, "2"), 7)
    (await session.provider.state(bet)).expect(1, state="cancelled")


@refunds(TABLE)
async def a_tombstone_is_repeated_with_its_first_id(at: Stage) -> None:
    """A second refund of a bet that never came gets the first transaction id."""
    session, bet = await at.session(), new_id()
    first = (await session.refund(bet)).expect(1).id("refundTransactionId")
    (await session.refund(bet)).expect(1, refundTransactionId=first)


@refunds(TABLE)
async def a_refund_of_a_rejected_bet_leaves_it_rejected(at: Stage) -> None:
    """The refund of a rejected bet is 1 and moves nothing; the bet stays rejected."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, before + 1)).expect(4)
    first = (await session.refund(bet)).expect(1, balance=before).id("refundTransactionId")
    (await session.refund(bet)).expect(1, refundTransactionId=first)
    (await session.provider.state(bet)).expect(1, state="rejected", refusedWith=4)


@refunds("What each call does, rule 3")
async def a_stake_of_0_may_be_refunded(at: Stage) -> None:
    """The refund of a stake of 0 is 1, moves nothing, and has a transaction id."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "0")).expect(1)
    (await session.refund(bet)).expect(1, balance=before).id("refundTransactionId")


@refunds("What each call does, rule 2")
async def a_refund_works_after_the_session_ended(at: Stage) -> None:
    """A refund works in a session that was closed after the bet."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "2")).expect(1)
    await at.act("close", session.id)
    (await session.refund(bet)).expect(1, balance=before)


@refunds("What each call does, rule 2")
async def a_tombstone_is_set_after_the_session_ended(at: Stage) -> None:
    """The refund of a bet that never came works in a closed session."""
    session = await at.session("closed")
    (await session.refund(new_id())).expect(1).id("refundTransactionId")


@refunds("What each call does")
async def a_refund_in_another_session_of_the_player(at: Stage) -> None:
    """A late refund with a new session of the same player gives the stake back."""
    first, second = await at.pair()
    bet = new_id()
    before = await first.balance()
    (await first.pay_in(bet, "2")).expect(1)
    (await second.refund(bet)).expect(1, balance=before)


@refunds("What each call does, rule 3")
async def the_refund_has_a_transfer_of_its_own(at: Stage) -> None:
    """The transaction id of a refund is neither that of the stake nor that of the win."""
    session, bet = await at.session(), new_id()
    paid = (await session.pay_in_out(bet, "2", "5")).expect(1)
    given = (await session.refund(bet)).expect(1)
    ids = {paid.id("betTransactionId"), paid.id("winTransactionId")}
    ensure(given.id("refundTransactionId") not in ids, f"An id was given twice: {given.text}")
