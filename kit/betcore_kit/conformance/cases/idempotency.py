"""Repeats: the first ids, the present balance, and nothing moved. Conflicts: code 7."""

from functools import partial

from betcore_kit.conformance.case import case, ensure
from betcore_kit.conformance.stage import Session, Stage, new_id
from betcore_kit.conformance.wire import Answer

SAME_DATA = "What each call does, rule 1"
LOOK_UP = "What each call does"
same = partial(case, "idempotency")


async def repeated(first: Answer, again: Answer, *names: str) -> None:
    """Compare a repeat with the first answer: the same ids, and the same balance."""
    first.expect(1)
    again.expect(1, balance=first.amount("balance"), **{name: first.id(name) for name in names})


async def unmoved(session: Session, refused: Answer, code: int, **fields: object) -> None:
    """Check that an answer is this refusal, and tells the balance that it left as it was."""
    refused.expect(code, **fields)
    refused.expect(code, balance=await session.balance())


@same(SAME_DATA)
async def a_repeated_pay_in_moves_nothing(at: Stage) -> None:
    """A repeated pay-in gets the first transaction id, and takes nothing."""
    session, bet = await at.session(), new_id()
    first = await session.pay_in(bet, "2")
    await repeated(first, await session.pay_in(bet, "2"), "betTransactionId")


@same(SAME_DATA)
async def a_repeated_pay_out_pays_nothing(at: Stage) -> None:
    """A repeated pay-out gets the first transaction id, and pays nothing."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2")).expect(1)
    first = await session.pay_out(bet, "5")
    await repeated(first, await session.pay_out(bet, "5"), "winTransactionId")


@same(SAME_DATA)
async def a_repeated_pay_in_out_moves_nothing(at: Stage) -> None:
    """A repeated pay-in-out gets both first transaction ids, and moves nothing."""
    session, bet = await at.session(), new_id()
    first = await session.pay_in_out(bet, "2", "5")
    again = await session.pay_in_out(bet, "2", "5")
    await repeated(first, again, "betTransactionId", "winTransactionId")


@same(SAME_DATA)
async def a_repeated_refund_gives_nothing(at: Stage) -> None:
    """A repeated refund gets the first transaction id, and gives nothing back."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2")).expect(1)
    first = await session.refund(bet)
    await repeated(first, await session.refund(bet), "refundTransactionId")


@same(SAME_DATA)
async def a_pay_in_is_repeated_after_its_bet_was_settled(at: Stage) -> None:
    """A pay-in that is repeated after the pay-out is 1 with the first id."""
    session, bet = await at.session(), new_id()
    first = (await session.pay_in(bet, "2")).expect(1)
    (await session.pay_out(bet, "0")).expect(1)
    await repeated(first, await session.pay_in(bet, "2"), "betTransactionId")


@same(SAME_DATA)
async def a_repeat_tells_the_present_balance(at: Stage) -> None:
    """A repeat is answered with the present balance, not with the first one."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2")).expect(1)
    later = (await session.pay_in(new_id(), "3")).expect(1)
    (await session.pay_in(bet, "2")).expect(1, balance=later.amount("balance"))


@same(SAME_DATA)
async def amounts_are_compared_as_numbers(at: Stage) -> None:
    """A repeat may spell its amounts in another way: "2" is 2.00."""
    session, bet = await at.session(), new_id()
    first = await session.pay_in(bet, "2")
    body = f'{{"betId":"{bet}","betAmount":2.00}}'.encode()
    await repeated(first, await session.post("pay-in", body), "betTransactionId")


@same(SAME_DATA)
async def another_stake_is_a_conflict(at: Stage) -> None:
    """A pay-in with a recorded `betId` and another stake is 7, and takes nothing."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2")).expect(1)
    await unmoved(session, await session.pay_in(bet, "3"), 7, error="bet_conflict")


@same(SAME_DATA)
async def another_win_is_a_conflict(at: Stage) -> None:
    """A second pay-out with another win is 7, and pays nothing."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2")).expect(1)
    (await session.pay_out(bet, "5")).expect(1)
    await unmoved(session, await session.pay_out(bet, "6"), 7)


@same(SAME_DATA)
async def another_win_of_a_pay_in_out_is_a_conflict(at: Stage) -> None:
    """A pay-in-out with a recorded `betId` and another win is 7."""
    session, bet = await at.session(), new_id()
    (await session.pay_in_out(bet, "2", "5")).expect(1)
    await unmoved(session, await session.pay_in_out(bet, "2", "6"), 7)


@same(SAME_DATA)
async def another_round_is_a_conflict(at: Stage) -> None:
    """A pay-in that names another round under a recorded `betId` is 7."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2", gameRoundId="r1")).expect(1)
    await unmoved(session, await session.pay_in(bet, "2", gameRoundId="r2"), 7)


@same(SAME_DATA)
async def a_round_that_is_not_named_is_no_conflict(at: Stage) -> None:
    """A repeat that names no round is 1."""
    session, bet = await at.session(), new_id()
    first = await session.pay_in(bet, "2", gameRoundId="r1")
    await repeated(first, await session.pay_in(bet, "2"), "betTransactionId")


@same(SAME_DATA)
async def pay_out_and_refund_may_name_any_round(at: Stage) -> None:
    """A pay-out and a refund may name another round than the pay-in."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "2", gameRoundId="r1")).expect(1)
    (await session.pay_out(bet, "1", gameRoundId="r2")).expect(1)
    (await session.refund(bet, gameRoundId="r3")).expect(1)


@same(SAME_DATA)
async def another_odd_is_no_conflict(at: Stage) -> None:
    """A repeat with another `winOdd` is 1."""
    session, bet = await at.session(), new_id()
    first = await session.pay_in_out(bet, "2", "5", winOdd="2.5")
    again = await session.pay_in_out(bet, "2", "5", winOdd="3")
    await repeated(first, again, "betTransactionId", "winTransactionId")


@same(LOOK_UP)
async def a_refusal_for_money_is_kept_for_ever(at: Stage) -> None:
    """A bet that was refused with 4 is refused with 4 again, also when there is money for it."""
    session, bet = await at.session(), new_id()
    stake = await session.balance() + 1
    (await session.pay_in(bet, stake)).expect(4)
    (await session.pay_in_out(new_id(), "0", "2")).expect(1)
    await unmoved(session, await session.pay_in(bet, stake), 4)
    (await session.provider.state(bet)).expect(1, state="rejected", refusedWith=4)
    (await session.pay_in_out(new_id(), "2", "0")).expect(1)


@same(LOOK_UP)
async def a_refusal_for_a_limit_is_kept_for_ever(at: Stage) -> None:
    """A bet that was refused with 5 is refused with 5 and the same reason again."""
    session, bet = await at.session("limited"), new_id()
    stake = (session.opened.max_bet or 0) + 1
    first = (await session.pay_in(bet, stake)).expect(5)
    await unmoved(session, await session.pay_in(bet, stake), 5, reason=first.fields["reason"])
    (await session.provider.state(bet)).expect(1, state="rejected", refusedWith=5)


@same(LOOK_UP)
async def a_rejected_bet_with_other_data_is_a_conflict(at: Stage) -> None:
    """A rejected `betId` with another stake, or by another call, is 7."""
    session, bet = await at.session(), new_id()
    stake = await session.balance() + 1
    (await session.pay_in(bet, stake)).expect(4)
    await unmoved(session, await session.pay_in(bet, "1"), 7)
    await unmoved(session, await session.pay_in_out(bet, stake, "0"), 7)


@same(LOOK_UP)
async def a_refusal_for_a_closed_session_is_not_kept(at: Stage) -> None:
    """A bet that was refused with 3 is not recorded: another session may take it."""
    first, second = await at.pair()
    bet = new_id()
    await at.act("close", first.id)
    (await first.pay_in(bet, "1")).expect(3)
    (await second.pay_in(bet, "1")).expect(1)


@same(LOOK_UP)
async def a_repeat_may_come_in_another_session(at: Stage) -> None:
    """A repeat in a new session of the same player gets the first ids."""
    first, second = await at.pair()
    bet = new_id()
    answer = await first.pay_in(bet, "2")
    await repeated(answer, await second.pay_in(bet, "2"), "betTransactionId")
    (await second.pay_out(bet, "2")).expect(1)


@same(LOOK_UP)
async def a_bet_of_another_account_is_a_conflict(at: Stage) -> None:
    """A `betId` of another player is 7 for every call, and moves nothing."""
    mine, other, bet = await at.session(), await at.session(), new_id()
    (await mine.pay_in(bet, "2")).expect(1)
    for answer in (
        await other.pay_in(bet, "2"),
        await other.pay_out(bet, "2"),
        await other.pay_in_out(bet, "2", "0"),
        await other.refund(bet),
    ):
        await unmoved(other, answer, 7)
    (await mine.refund(bet)).expect(1)


@same(LOOK_UP)
async def bet_ids_are_a_providers_own(at: Stage) -> None:
    """Two providers may use the same `betId`."""
    mine, bet = await at.session(), new_id()
    theirs = await (await at.elsewhere()).session()
    answers = [await session.pay_in(bet, "1") for session in (mine, theirs)]
    ids = {answer.expect(1).id("betTransactionId") for answer in answers}
    ensure(len(ids) == 2, "The two bets have one transaction id.")


@same(LOOK_UP)
async def a_repeat_is_answered_after_the_session_ended(at: Stage) -> None:
    """A repeat of a bet gets the first ids after its session was closed."""
    session, bet = await at.session(), new_id()
    first = await session.pay_in(bet, "2")
    await at.act("close", session.id)
    await repeated(first, await session.pay_in(bet, "2"), "betTransactionId")
