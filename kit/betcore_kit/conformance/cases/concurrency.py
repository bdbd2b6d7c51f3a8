"""Requests that come at the same time."""

import asyncio
from collections import Counter
from functools import partial

from betcore_kit.conformance.case import case, ensure
from betcore_kit.conformance.cases.authentication import a_bet
from betcore_kit.conformance.stage import Stage, new_id
from betcore_kit.conformance.wire import Answer, How
from betcore_kit.signing import new_nonce, now_ms

LANES = "What each call does, rule 6"
REPEATS = "What each call does, rule 1"
together = partial(case, "concurrency")


def codes(answers: list[Answer]) -> Counter[int | None]:
    """Count the codes of answers."""
    return Counter(answer.code for answer in answers)


async def applied_once(answers: list[Answer], *names: str) -> None:
    """Check that equal requests were answered with 1 and the same ids."""
    for name in names:
        ids = {answer.expect(1).id(name) for answer in answers}
        ensure(len(ids) == 1, f"Equal requests got different ids: {sorted(ids)}")


@together(REPEATS)
async def equal_pay_ins_take_one_stake(at: Stage) -> None:
    """Ten equal pay-ins at the same time take one stake, and get one id."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    answers = await asyncio.gather(*(session.pay_in(bet, "2") for _ in range(10)))
    await applied_once(answers, "betTransactionId")
    ensure(await session.balance() == before - 2, "The stake was not taken just once.")


@together(REPEATS)
async def equal_pay_in_outs_move_once(at: Stage) -> None:
    """Ten equal pay-in-outs at the same time move money once, and get the same ids."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    answers = await asyncio.gather(*(session.pay_in_out(bet, "2", "5") for _ in range(10)))
    await applied_once(answers, "betTransactionId", "winTransactionId")
    ensure(await session.balance() == before + 3, "The bet was not applied just once.")


@together(REPEATS)
async def equal_pay_outs_pay_once(at: Stage) -> None:
    """Ten equal pay-outs at the same time pay one win, and get one id."""
    session, bet = await at.session(), new_id()
    before = (await session.pay_in(bet, "2")).expect(1).amount("balance")
    answers = await asyncio.gather(*(session.pay_out(bet, "5") for _ in range(10)))
    await applied_once(answers, "winTransactionId")
    ensure(await session.balance() == before + 5, "The win was not paid just once.")


@together(REPEATS)
async def equal_refunds_give_back_once(at: Stage) -> None:
    """Ten equal refunds at the same time give one stake back, and get one id."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "2")).expect(1)
    answers = await asyncio.gather(*(session.refund(bet) for _ in range(10)))
    await applied_once(answers, "refundTransactionId")
    ensure(await session.balance() == before, "The stake was not given back just once.")


@together(LANES)
async def different_bets_are_all_applied(at: Stage) -> None:
    """Twenty different bets of one player at the same time are all applied, to the cent."""
    session = await at.session()
    before = await session.balance()
    answers = await asyncio.gather(*(session.pay_in_out(new_id(), "2", "1") for _ in range(20)))
    ensure(codes(answers) == {1: 20}, f"Expected 20 times code 1, but got {codes(answers)}.")
    ensure(await session.balance() == before - 20, "The balance is not the sum of the bets.")
    told = {answer.amount("balance") for answer in answers}
    ensure(told == {before - n for n in range(1, 21)}, f"The bets were not one at a time: {told}")


@together(LANES)
async def a_balance_is_not_spent_twice(at: Stage) -> None:
    """Of five bets of the whole balance at the same time, one is taken and four are 4."""
    session = await at.session()
    stake, bets = await session.balance(), [new_id() for _ in range(5)]
    answers = await asyncio.gather(*(session.pay_in(bet, stake) for bet in bets))
    ensure(codes(answers) == {1: 1, 4: 4}, f"Expected 1 once and 4 four times: {codes(answers)}.")
    ensure(await session.balance() == 0, "The balance is not 0.")
    for bet in bets:
        (await session.refund(bet)).expect(1)


@together("What each call does, rule 4")
async def a_refund_that_races_with_its_bet_leaves_nothing(at: Stage) -> None:
    """A pay-in and its refund at the same time leave the balance as it was."""
    session = await at.session()
    before, bets = await session.balance(), [new_id() for _ in range(4)]
    pairs = ((session.pay_in(bet, "2"), session.refund(bet)) for bet in bets)
    answers = await asyncio.gather(*(one for pair in pairs for one in pair))
    for taken, refunded in zip(answers[::2], answers[1::2], strict=True):
        ensure(taken.code in (1, 7), f"Expected the pay-in to be 1 or 7, but got {taken.text}")
        refunded.expect(1)
    ensure(await session.balance() == before, "The balance has changed.")


@together("Nonces")
async def a_nonce_serves_one_of_many(at: Stage) -> None:
    """Of five requests with one nonce and different bodies at the same time, one is served."""
    session, nonce = await at.session(), new_nonce()
    answers = await asyncio.gather(
        *(session.post("pay-in-out", a_bet(), How(nonce=nonce)) for _ in range(5))
    )
    ensure(codes(answers) == {1: 1, 8: 4}, f"Expected 1 once and 8 four times: {codes(answers)}.")


@together("Nonces")
async def the_very_same_request_is_served_once(at: Stage) -> None:
    """Of five very same requests at the same time, one is served, and the others are 409."""
    session, body = await at.session(), a_bet()
    how = How(nonce=new_nonce(), timestamp=now_ms())
    answers = await asyncio.gather(*(session.post("pay-in-out", body, how) for _ in range(5)))
    ensure(codes(answers) == {1: 1, 0: 4}, f"Expected 1 once and 0 four times: {codes(answers)}.")


@together(LANES)
async def many_players_bet_at_the_same_time(at: Stage) -> None:
    """Bets of two players at the same time do not touch each other's balance."""
    one, two = await at.session(), await at.session()
    before = [await session.balance() for session in (one, two)]
    calls = [session.pay_in_out(new_id(), "3", "1") for session in (one, two) for _ in range(8)]
    answers = await asyncio.gather(*calls)
    ensure(codes(answers) == {1: 16}, f"Expected 16 times code 1, but got {codes(answers)}.")
    after = [await session.balance() for session in (one, two)]
    ensure(after == [balance - 16 for balance in before], f"From {before} to {after}.")


@together("What each call does")
async def pay_out_and_refund_at_the_same_time_agree(at: Stage) -> None:
    """A pay-out and a refund of one bet at the same time end as refunded, with no money made."""
    session, bet = await at.session(), new_id()
    before = await session.balance()
    (await session.pay_in(bet, "2")).expect(1)
    paid, refunded = await asyncio.gather(session.pay_out(bet, "5"), session.refund(bet))
    ensure(paid.code in (1, 7), f"Expected the pay-out to be 1 or 7, but got {paid.text}")
    refunded.expect(1)
    ensure(await session.balance() == before, "The refund did not undo the bet.")
    (await session.provider.state(bet)).expect(1, state="refunded")
