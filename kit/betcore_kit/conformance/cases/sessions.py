"""Sessions: unknown, closed, expired, blocked, and what is owed all the same."""

from functools import partial

from betcore_kit.conformance.case import case, ensure
from betcore_kit.conformance.cases.idempotency import unmoved
from betcore_kit.conformance.site import Opened
from betcore_kit.conformance.stage import Session, Stage, new_id
from betcore_kit.conformance.wire import Answer

CODES = "_responseCode and HTTP status"
OWED = "What each call does, rule 2"
sessions = partial(case, "sessions")


async def every_call(session: Session) -> list[Answer]:
    """Make every call in a session."""
    return [
        await session.pay_in(new_id(), "1"),
        await session.pay_out(new_id(), "1"),
        await session.pay_in_out(new_id(), "1", "0"),
        await session.refund(new_id()),
        await session.ask_balance(),
    ]


@sessions(CODES)
async def an_unknown_session_is_3(at: Stage) -> None:
    """Every call in a session that does not exist is 3 with the reason `session_unknown`."""
    unknown = Session(await at.provider(), Opened(new_id()))
    for answer in await every_call(unknown):
        answer.expect(3, error="session_closed", reason="session_unknown", balance=None)


@sessions(CODES)
async def anothers_session_looks_unknown(at: Stage) -> None:
    """Another provider's session is 3 with the reason `session_unknown`, like an unknown one."""
    theirs = await (await at.elsewhere()).session()
    for answer in await every_call(Session(await at.provider(), theirs.opened)):
        answer.expect(3, reason="session_unknown", balance=None)


@sessions(CODES)
async def anothers_bet_is_unknown(at: Stage) -> None:
    """The state of another provider's bet is `unknown`."""
    theirs, bet = await (await at.elsewhere()).session(), new_id()
    (await theirs.pay_in(bet, "1")).expect(1)
    (await (await at.provider()).state(bet)).expect(1, state="unknown", betAmount=None)


@sessions(CODES)
async def a_closed_session_takes_no_bet(at: Stage) -> None:
    """A new bet in a closed session is 3 with the reason `session_closed`, and the balance."""
    session = await at.session("closed")
    for answer in (
        await session.pay_in(new_id(), "1"),
        await session.pay_in_out(new_id(), "1", "1"),
    ):
        await unmoved(session, answer, 3, error="session_closed", reason="session_closed")


@sessions(CODES)
async def an_expired_session_takes_no_bet(at: Stage) -> None:
    """A new bet in an expired session is 3 with the reason `session_expired`, and the balance."""
    session = await at.session("expired")
    for answer in (
        await session.pay_in(new_id(), "1"),
        await session.pay_in_out(new_id(), "1", "1"),
    ):
        await unmoved(session, answer, 3, reason="session_expired")


@sessions(CODES)
async def a_blocked_player_takes_no_bet(at: Stage) -> None:
    """A new bet of a blocked player is 5 with the reason `player_blocked`, and is recorded."""
    session, bet = await at.session("blocked"), new_id()
    await unmoved(session, await session.pay_in(bet, "1"), 5, reason="player_blocked")
    told = (await session.provider.state(bet)).expect(1, state="rejected", refusedWith=5)
    told.expect(1, reason="player_blocked")


@sessions(OWED)
async def a_win_is_paid_after_the_session_was_closed(at: Stage) -> None:
    """A pay-out is paid in a session that was closed after the bet."""
    session, bet = await at.session(), new_id()
    taken = (await session.pay_in(bet, "2")).expect(1)
    await at.act("close", session.id)
    (await session.pay_out(bet, "5")).expect(1, balance=taken.amount("balance") + 5)


@sessions(OWED)
async def a_win_is_paid_after_the_session_expired(at: Stage) -> None:
    """A pay-out is paid in a session that expired after the bet."""
    session, bet = await at.session(), new_id()
    taken = (await session.pay_in(bet, "2")).expect(1)
    await at.act("expire", session.id)
    (await session.pay_out(bet, "5")).expect(1, balance=taken.amount("balance") + 5)


@sessions(OWED)
async def a_win_is_paid_to_a_blocked_player(at: Stage) -> None:
    """A pay-out and a refund are paid to a player who was blocked after the bets."""
    session, won, given = await at.session(), new_id(), new_id()
    before = await session.balance()
    for bet in (won, given):
        (await session.pay_in(bet, "2")).expect(1)
    await at.act("block", session.player)
    (await session.pay_out(won, "2")).expect(1)
    (await session.refund(given)).expect(1, balance=before)


@sessions("What each call does")
async def a_win_without_a_stake_is_owed_in_a_closed_session(at: Stage) -> None:
    """A pay-in-out with stake 0 and a win is paid in a closed session."""
    session = await at.session("closed")
    before = await session.balance()
    (await session.pay_in_out(new_id(), "0", "3")).expect(1, balance=before + 3)


@sessions("What each call does")
async def a_win_without_a_stake_is_owed_to_a_blocked_player(at: Stage) -> None:
    """A pay-in-out with stake 0 and a win is paid to a blocked player."""
    session = await at.session("blocked")
    before = await session.balance()
    (await session.pay_in_out(new_id(), "0", "3")).expect(1, balance=before + 3)


@sessions("What each call does")
async def a_pay_in_of_0_is_checked_like_every_stake(at: Stage) -> None:
    """A pay-in of 0, and a pay-in-out of 0 and 0, are 3 in a closed session."""
    session = await at.session("closed")
    for answer in (
        await session.pay_in(new_id(), "0"),
        await session.pay_in_out(new_id(), "0", "0"),
    ):
        answer.expect(3, reason="session_closed")


@sessions(OWED)
async def a_balance_is_told_in_a_closed_session(at: Stage) -> None:
    """The balance is told in a closed session, with its currency."""
    answer = (await (await at.session("closed")).ask_balance()).expect(1)
    currency = answer.fields.get("currency")
    ensure(isinstance(currency, str) and currency.isupper(), f"No currency in {answer.text}")


@sessions(CODES)
async def a_suspended_provider_takes_no_bet(at: Stage) -> None:
    """A new bet of a suspended provider is 5, and what is owed is paid all the same."""
    there = await at.elsewhere()
    session, bet = await there.session(), new_id()
    taken = (await session.pay_in(bet, "2")).expect(1)
    await there.act("suspend")
    await unmoved(session, await session.pay_in(new_id(), "1"), 5, reason="provider_suspended")
    (await session.pay_out(bet, "2")).expect(1, balance=taken.amount("balance") + 2)


@sessions("What each call does")
async def a_win_without_a_stake_waits_for_a_suspended_provider(at: Stage) -> None:
    """A win without a stake is 5 while the provider is suspended, and is paid after that."""
    there = await at.elsewhere()
    session, win = await there.session(), new_id()
    await there.act("suspend")
    refused = await session.pay_in_out(win, "0", "3")
    await unmoved(session, refused, 5, reason="provider_suspended")
    (await session.provider.state(win)).expect(1, state="unknown")
    await there.act("resume")
    before = await session.balance()
    (await session.pay_in_out(win, "0", "3")).expect(1, balance=before + 3)


@sessions("What each call does")
async def of_several_causes_the_first_is_told(at: Stage) -> None:
    """A closed session of a blocked player is told as closed, whatever the stake is."""
    session = await at.session("limited")
    await at.act("block", session.player)
    stake = await session.balance() + 1
    (await session.pay_in(new_id(), stake)).expect(5, reason="player_blocked")
    await at.act("close", session.id)
    (await session.pay_in(new_id(), stake)).expect(3, reason="session_closed")


@sessions("Claims")
async def true_claims_are_accepted(at: Stage) -> None:
    """A bet that claims its own `sessionId`, `currency` and `userId` is taken."""
    session = await at.session()
    currency = (await session.ask_balance()).expect(1).fields["currency"]
    claims = {"sessionId": session.id, "currency": currency, "userId": session.player}
    (await session.pay_in(new_id(), "1", **claims)).expect(1)


async def _claim(at: Stage, code: int, **claim: object) -> None:
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1", **claim)).expect(code)
    state = "open" if code == 1 else "unknown"
    (await session.provider.state(bet)).expect(1, state=state)


@sessions("Claims")
async def a_false_session_is_refused(at: Stage) -> None:
    """A bet that claims another `sessionId` than its path is 2, and is not recorded."""
    await _claim(at, 2, sessionId=new_id())


@sessions("Claims")
async def a_session_of_null_is_refused(at: Stage) -> None:
    """A `sessionId` of null is 2."""
    await _claim(at, 2, sessionId=None)


@sessions("Claims")
async def a_false_currency_is_refused(at: Stage) -> None:
    """A bet that claims another `currency` is 2, and is not recorded."""
    await _claim(at, 2, currency="AAA")


@sessions("Claims")
async def a_false_user_is_refused(at: Stage) -> None:
    """A bet that claims another `userId` is 2, and is not recorded."""
    await _claim(at, 2, userId=new_id())


@sessions("Claims")
async def claims_of_null_claim_nothing(at: Stage) -> None:
    """A `currency` and a `userId` of null claim nothing."""
    await _claim(at, 1, currency=None, userId=None)
