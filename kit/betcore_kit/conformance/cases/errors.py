"""Refusals: status, code, name, and what a body tells."""

import re
from functools import partial

from betcore_kit.conformance.case import case, ensure
from betcore_kit.conformance.cases.authentication import WRONG, a_bet
from betcore_kit.conformance.stage import Stage, new_id
from betcore_kit.conformance.wire import How
from betcore_kit.signing import new_nonce

CODES = "_responseCode and HTTP status"
STATE = "State of a bet"
ORDER = "Order of checks"
errors = partial(case, "errors")
_FIELDS = {
    *("betId", "state", "betAmount", "winAmount", "currency", "betTransactionId"),
    *("winTransactionId", "refundTransactionId", "refusedWith", "reason"),
    *("createdAt", "updatedAt", "_responseCode"),
}


@errors(CODES)
async def an_unknown_path_is_404(at: Stage) -> None:
    """An unknown path is 404 with code 2, signed or not."""
    provider = await at.provider()
    for path in ("/v1/nothing", f"/v1/sessions/{new_id()}/bets/pay", "/v1/sessions//balance"):
        (await provider.send("GET", path)).expect(2, 404, error="invalid_request")
    (await at.wire.send("GET", "/v1/nothing")).expect(2, 404)


@errors(CODES)
async def an_encoded_slash_separates_nothing(at: Stage) -> None:
    """A path with an encoded slash is 404 with code 2."""
    session = await at.session()
    path = session.path("pay-in").replace("/bets/", "%2Fbets/")
    (await session.provider.send("POST", path, a_bet())).expect(2, 404)


@errors(CODES)
async def a_wrong_method_is_405(at: Stage) -> None:
    """A known path with another method is 405 with code 2."""
    session = await at.session()
    (await session.provider.send("GET", session.path("pay-in"))).expect(2, 405)
    (await session.provider.send("POST", session.path("balance"), b"{}")).expect(2, 405)
    (await session.provider.send("PUT", session.path("pay-in"), a_bet())).expect(2, 405)


@errors(CODES)
async def a_body_of_16_kib_is_read(at: Stage) -> None:
    """A body of just 16 KiB is read, and one byte more is 413 with code 2."""
    session = await at.session()
    body = a_bet()
    full = body[:-1] + b',"x":"' + b"x" * (16 * 1024 - len(body) - 8) + b'"}'
    full += b" " * (16 * 1024 - len(full))
    (await session.post("pay-in-out", full)).expect(1)
    (await session.post("pay-in-out", full + b" ")).expect(2, 413)


@errors(ORDER)
async def the_path_is_checked_before_the_signature(at: Stage) -> None:
    """An unsigned request with a wrong path, method or size is told that, not 401."""
    session = await at.session()
    path = session.path("pay-in")
    (await at.wire.send("DELETE", path)).expect(2, 405)
    (await at.wire.send("POST", path, b"x" * (16 * 1024 + 1))).expect(2, 413)


@errors(ORDER)
async def the_signature_is_checked_before_the_body(at: Stage) -> None:
    """A body that cannot be read, with a bad signature, is 401, not 2."""
    session = await at.session()
    (await session.post("pay-in", b"no JSON", How(secret=WRONG))).expect(8)


@errors(ORDER)
async def the_body_is_checked_before_the_session(at: Stage) -> None:
    """A body that cannot be read, in a closed session, is 2, not 3."""
    session = await at.session("closed")
    (await session.post("pay-in", b"no JSON")).expect(2)


@errors(CODES)
async def an_error_names_itself(at: Stage) -> None:
    """An error has `error`, a `message` of one sentence, and the request's id."""
    session, nonce = await at.session(), new_nonce()
    how = How(nonce=nonce)
    answer = await session.bet("pay-out", how, betId=new_id(), winAmount="1")
    answer.expect(6, error="bet_not_found", requestId=nonce)
    message = answer.fields.get("message")
    ensure(isinstance(message, str) and message.endswith("."), f"No sentence in {answer.text}")


@errors(CODES)
async def a_malformed_request_id_is_not_told(at: Stage) -> None:
    """An error has no `requestId` if that of the request is malformed."""
    session = await at.session()
    answer = await session.post("pay-in", a_bet(), How(nonce="<script>"))
    answer.expect(8, requestId=None)


@errors(CODES)
async def a_success_has_no_error(at: Stage) -> None:
    """An answer with code 1 has no `error`, no `message` and no `reason`."""
    session = await at.session()
    (await session.pay_in(new_id(), "1")).expect(1, error=None, message=None, reason=None)


@errors("Reasons")
async def only_3_and_5_have_a_reason(at: Stage) -> None:
    """Codes 2, 4, 6, 7 and 8 have no `reason`."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1")).expect(1)
    (await session.pay_in(bet, "-1")).expect(2, reason=None)
    (await session.pay_in(new_id(), await session.balance() + 1)).expect(4, reason=None)
    (await session.pay_out(new_id(), "1")).expect(6, reason=None)
    (await session.pay_in(bet, "2")).expect(7, reason=None)
    (await session.post("pay-in", b"{}", How(secret=WRONG))).expect(8, reason=None)


@errors(CODES)
async def the_balance_is_told_where_the_player_is_known(at: Stage) -> None:
    """Codes 4, 6 and 7 carry the balance."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1")).expect(1)
    balance = await session.balance()
    (await session.pay_in(new_id(), balance + 1)).expect(4, balance=balance)
    (await session.pay_out(new_id(), "1")).expect(6, balance=balance)
    (await session.pay_in(bet, "2")).expect(7, balance=balance)


@errors(STATE)
async def the_state_of_a_bet_has_every_field(at: Stage) -> None:
    """The state of a bet has every field; those that do not apply are null."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1")).expect(1)
    answer = (await session.provider.state(bet)).expect(1, betId=bet, state="open")
    missing = sorted(_FIELDS - set(answer.fields))
    ensure(not missing, f"Fields are missing: {', '.join(missing)}")
    answer.id("betTransactionId")
    answer.expect(1, winTransactionId=None, refundTransactionId=None, refusedWith=None)


@errors(STATE)
async def a_bet_without_a_trace_is_unknown(at: Stage) -> None:
    """A bet that was never seen is `unknown` with code 1, and every other field is null."""
    bet = new_id()
    answer = (await (await at.provider()).state(bet)).expect(1, betId=bet, state="unknown")
    told = {n for n, v in answer.fields.items() if v is not None}
    ensure(
        told == {"betId", "state", "_responseCode"}, f"Expected no more than that: {answer.text}"
    )


@errors(STATE)
async def asking_closes_nothing(at: Stage) -> None:
    """A bet that was said to be unknown can still be taken."""
    session, bet = await at.session(), new_id()
    (await session.provider.state(bet)).expect(1, state="unknown")
    (await session.pay_in(bet, "1")).expect(1)


@errors(STATE)
async def a_bet_id_is_percent_encoded(at: Stage) -> None:
    """A bet is found by its percent-encoded id, whatever characters it has."""
    session, bet = await at.session(), f'{new_id()} +&=%/?#;:"ü賭'
    (await session.pay_in(bet, "1")).expect(1)
    (await session.provider.state(bet)).expect(1, betId=bet, state="open")


@errors(STATE)
async def a_question_without_a_bet_is_2(at: Stage) -> None:
    """A question about no bet, an empty one, or two bets is 2."""
    provider = await at.provider()
    for query in ("", "?betId=", "?betId=a&betId=b", f"?betId={'x' * 129}", "?betId=%FF"):
        (await provider.send("GET", f"/v1/bets{query}")).expect(2, 402)


@errors(STATE)
async def amounts_of_a_state_are_exact(at: Stage) -> None:
    """The amounts of a state are exact JSON numbers without trailing zeros."""
    session, bet = await at.session(), new_id()
    (await session.pay_in_out(bet, "0.10", "0.30")).expect(1)
    text = (await session.provider.state(bet)).expect(1).text
    for amount in (r'"betAmount":\s?0\.1[,}]', r'"winAmount":\s?0\.3[,}]'):
        ensure(bool(re.search(amount, text)), f"Expected {amount} in {text}")
