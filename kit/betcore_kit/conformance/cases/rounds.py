"""Rounds: how one is finished, and what is asked about its bets. Sessions that are replaced."""

from functools import partial

from betcore_kit.conformance.case import case, ensure
from betcore_kit.conformance.cases.idempotency import unmoved
from betcore_kit.conformance.stage import Provider, Stage, new_id

ROUNDS = "A finished round"
STATE = "State of a bet"
order = partial(case, "order")


@order(ROUNDS)
async def a_pay_out_may_finish_its_round(at: Stage) -> None:
    """A pay-out with `roundFinished` settles the player's other open bets of the round with 0."""
    session, round_id = await at.session(), new_id()
    won, lost, elsewhere = new_id(), new_id(), new_id()
    for bet in (won, lost):
        (await session.pay_in(bet, "2", gameRoundId=round_id)).expect(1)
    before = (await session.pay_in(elsewhere, "2", gameRoundId=new_id())).expect(1)
    paid = await session.pay_out(won, "5", gameRoundId=round_id, roundFinished=True)
    paid.expect(1, balance=before.amount("balance") + 5)
    told = (await session.provider.state(lost)).expect(1, state="settled", winAmount=0)
    told.id("winTransactionId")
    (await session.provider.state(elsewhere)).expect(1, state="open")


@order(ROUNDS)
async def a_pay_in_out_may_finish_its_round(at: Stage) -> None:
    """A pay-in-out with `roundFinished` settles the player's open bets of the round with 0."""
    session, round_id, lost = await at.session(), new_id(), new_id()
    (await session.pay_in(lost, "2", gameRoundId=round_id)).expect(1)
    last = await session.pay_in_out(new_id(), "0", "5", gameRoundId=round_id, roundFinished=True)
    last.expect(1)
    (await session.provider.state(lost)).expect(1, state="settled", winAmount=0)


@order(ROUNDS)
async def a_finished_round_takes_no_stake(at: Stage) -> None:
    """A later pay-in of a finished round is 7, moves nothing, and is not recorded."""
    session, round_id, late = await at.session(), new_id(), new_id()
    last = await session.pay_in_out(new_id(), "1", "0", gameRoundId=round_id, roundFinished=True)
    last.expect(1)
    await unmoved(session, await session.pay_in(late, "1", gameRoundId=round_id), 7)
    (await session.provider.state(late)).expect(1, state="unknown")
    (await session.pay_in(late, "1", gameRoundId=new_id())).expect(1)


@order(ROUNDS)
async def a_finished_round_of_one_player_is_open_to_others(at: Stage) -> None:
    """A round that one player has finished still takes stakes of another player."""
    one, other, round_id, bet = await at.session(), await at.session(), new_id(), new_id()
    (await other.pay_in(bet, "1", gameRoundId=round_id)).expect(1)
    last = await one.pay_in_out(new_id(), "1", "0", gameRoundId=round_id, roundFinished=True)
    last.expect(1)
    (await other.provider.state(bet)).expect(1, state="open")
    (await other.pay_in(new_id(), "1", gameRoundId=round_id)).expect(1)


@order(ROUNDS)
async def a_repeat_of_what_finished_a_round_moves_nothing(at: Stage) -> None:
    """A repeated pay-out with `roundFinished` gets the first id, and pays nothing."""
    session, round_id, bet = await at.session(), new_id(), new_id()
    (await session.pay_in(bet, "2", gameRoundId=round_id)).expect(1)
    fields = {"gameRoundId": round_id, "roundFinished": True}
    first = (await session.pay_out(bet, "5", **fields)).expect(1)
    again = await session.pay_out(bet, "5", **fields)
    again.expect(1, balance=first.amount("balance"), winTransactionId=first.id("winTransactionId"))


@order(ROUNDS)
async def a_repeat_may_finish_the_round(at: Stage) -> None:
    """A repeated pay-out that says `roundFinished` for the first time finishes the round."""
    session, round_id, bet, lost = await at.session(), new_id(), new_id(), new_id()
    for name in (bet, lost):
        (await session.pay_in(name, "2", gameRoundId=round_id)).expect(1)
    (await session.pay_out(bet, "5", gameRoundId=round_id)).expect(1)
    (await session.provider.state(lost)).expect(1, state="open")
    (await session.pay_out(bet, "5", gameRoundId=round_id, roundFinished=True)).expect(1)
    (await session.provider.state(lost)).expect(1, state="settled", winAmount=0)


@order(ROUNDS)
async def a_win_without_a_stake_is_paid_in_a_finished_round(at: Stage) -> None:
    """A pay-in-out with stake 0 and a win is paid in a finished round."""
    session, round_id = await at.session(), new_id()
    last = await session.pay_in_out(new_id(), "1", "0", gameRoundId=round_id, roundFinished=True)
    paid = await session.pay_in_out(new_id(), "0", "3", gameRoundId=round_id)
    paid.expect(1, balance=last.expect(1).amount("balance") + 3)


@order(ROUNDS)
async def a_bet_that_its_round_closed_is_lost(at: Stage) -> None:
    """A bet that its round has closed: a pay-out of 0 is 1, another is 7, a refund is paid."""
    session, round_id, lost = await at.session(), new_id(), new_id()
    before = await session.balance()
    (await session.pay_in(lost, "2", gameRoundId=round_id)).expect(1)
    last = await session.pay_in_out(new_id(), "0", "1", gameRoundId=round_id, roundFinished=True)
    last.expect(1)
    (await session.pay_out(lost, "0")).expect(1)
    await unmoved(session, await session.pay_out(lost, "5"), 7)
    (await session.refund(lost)).expect(1, balance=before + 1)


@order(ROUNDS)
async def a_refused_call_finishes_no_round(at: Stage) -> None:
    """A pay-in-out that is refused with 4 finishes no round."""
    session, round_id, bet = await at.session(), new_id(), new_id()
    (await session.pay_in(bet, "1", gameRoundId=round_id)).expect(1)
    stake = await session.balance() + 1
    fields = {"gameRoundId": round_id, "roundFinished": True}
    (await session.pay_in_out(new_id(), stake, "0", **fields)).expect(4)
    (await session.provider.state(bet)).expect(1, state="open")
    (await session.pay_in(new_id(), "1", gameRoundId=round_id)).expect(1)


async def listed(provider: Provider, round_id: str, **query: str) -> list[str]:
    """Return the bets of a round, page by page."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await provider.bets(gameRoundId=round_id, **query, **cursor)).expect(1)
        items, more = page.fields.get("items"), page.fields.get("next")
        ensure(isinstance(items, list), f"Expected a list of items in {page.text}")
        found += [str(item["betId"]) for item in items or ()]
        if more is None or len(found) > 100:
            return found
        cursor = {"cursor": str(more)}


@order(STATE)
async def the_bets_of_a_round_are_listed(at: Stage) -> None:
    """`GET /v1/bets?gameRoundId=…` lists each bet of the round once, in pages."""
    session, round_id = await at.session(), new_id()
    bets = [new_id() for _ in range(5)]
    for bet in bets:
        (await session.pay_in(bet, "0.01", gameRoundId=round_id)).expect(1)
    (await session.pay_in(new_id(), "0.01", gameRoundId=new_id())).expect(1)
    for query in ({}, {"limit": "2"}):
        found = await listed(session.provider, round_id, **query)
        ensure(sorted(found) == sorted(bets), f"Expected each of {bets} once, but got {found}.")
    ensure(not await listed(session.provider, new_id()), "A round without bets has some.")


@order(STATE)
async def a_bet_is_found_by_its_transactions(at: Stage) -> None:
    """`GET /v1/bets?transactionId=…` finds a bet by its stake's id, its win's and its refund's."""
    session, bet = await at.session(), new_id()
    paid = (await session.pay_in_out(bet, "2", "5")).expect(1)
    given = (await session.refund(bet)).expect(1)
    ids = [
        paid.id("betTransactionId"),
        paid.id("winTransactionId"),
        given.id("refundTransactionId"),
    ]
    for transaction in ids:
        told = await session.provider.bets(transactionId=transaction)
        told.expect(1, betId=bet, state="refunded")


@order(STATE)
async def a_question_asks_one_thing(at: Stage) -> None:
    """A question by `betId` and `gameRoundId` together is 2."""
    provider = await at.provider()
    (await provider.bets(betId=new_id(), gameRoundId=new_id())).expect(2)
    (await provider.bets(transactionId="1", gameRoundId=new_id())).expect(2)


@order("Games")
async def a_game_is_kept_with_its_bet(at: Stage) -> None:
    """A `gameId` in a body is kept with the bet, where the session has no game."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1", gameId="slots")).expect(1)
    (await session.provider.state(bet)).expect(1, gameId="slots")


@case("sessions", "What each call does, rule 7")
async def a_replaced_session_takes_no_bet(at: Stage) -> None:
    """A session that was replaced takes no bet, and its open bets are paid in the new one."""
    old, bet = await at.session(), new_id()
    (await old.pay_in(bet, "2")).expect(1)
    new = await at.beside(old, replaces=True)
    (await old.pay_in(new_id(), "1")).expect(3, reason="session_closed")
    (await new.pay_in(new_id(), "1")).expect(1)
    (await new.pay_out(bet, "5")).expect(1)
