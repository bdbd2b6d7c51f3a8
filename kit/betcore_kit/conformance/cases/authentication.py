"""Who may call: headers, signatures, nonces."""

import base64
import json
from collections.abc import Callable
from functools import partial

from betcore_kit.conformance.case import Lacking, case, ensure, table
from betcore_kit.conformance.stage import Session, Stage, new_id
from betcore_kit.conformance.wire import Answer, How
from betcore_kit.exact import write_json
from betcore_kit.signing import (
    COUNTERPARTY,
    HEADERS,
    SIGN,
    decodings,
    message,
    new_nonce,
    now_ms,
    signature,
)

HEADER_RULE = "Every request"
NONCE_RULE = "Nonces"
WRONG = "another"  # a secret that no provider has
auth = partial(case, "authentication")


def a_bet() -> bytes:
    """Return the body of a pay-in-out of 1 and 0."""
    return write_json({"betId": new_id(), "betAmount": "1", "winAmount": "0"})


async def refused(session: Session, how: How, body: bytes | None = None) -> Answer:
    """Send a bet signed like this: 401, code 8, nothing told of the player, nothing applied."""
    before = await session.balance()
    answer = await session.post("pay-in-out", a_bet() if body is None else body, how)
    answer.expect(8, error="unauthorized", balance=None, reason=None)
    ensure(await session.balance() == before, "A refused request moved money.")
    return answer


@auth(HEADER_RULE)
async def a_signed_body_is_served(at: Stage) -> None:
    """A body signed with the secret's characters as the key is served."""
    (await (await at.session()).post("pay-in-out", a_bet())).expect(1)


@auth(HEADER_RULE)
async def a_request_without_a_body_is_signed_without_its_dot(at: Stage) -> None:
    """A request without a body is signed over the three headers alone."""
    (await (await at.session()).ask_balance()).expect(1)


@auth(HEADER_RULE)
async def an_unsigned_request_is_refused(at: Stage) -> None:
    """A request without any of the four headers is 401 with code 8."""
    path = (await at.session()).path("pay-in-out")
    (await at.wire.send("POST", path, a_bet())).expect(8, error="unauthorized")


@auth(HEADER_RULE)
async def the_exact_bytes_are_verified(at: Stage) -> None:
    """A body with unusual spaces, order and escapes is served if its exact bytes are signed."""
    session, bet = await at.session(), new_id()
    escaped = f"{bet[:-1]}\\u00{ord(bet[-1]):02x}"
    body = f'{{ "winAmount" : "0" ,\r\n\t"betAmount":1.0, "betId":"{escaped}" }} '
    (await session.post("pay-in-out", body.encode())).expect(1)
    (await session.provider.state(bet)).expect(1, state="settled")


@auth(HEADER_RULE)
async def a_signature_of_reserialised_json_is_refused(at: Stage) -> None:
    """A signature over the same JSON in other bytes is 401 with code 8."""
    body = a_bet()
    other = json.dumps(json.loads(body), indent=1).encode()
    await refused(await at.session(), How(body=other), body)


@auth(HEADER_RULE)
async def a_signature_of_another_amount_is_refused(at: Stage) -> None:
    """A body of which one byte was changed after signing is 401 with code 8."""
    body = a_bet()
    changed = body.replace(b'"betAmount":"1"', b'"betAmount":"9"')
    await refused(await at.session(), How(body=body), changed)


@auth(HEADER_RULE)
async def a_decoded_secret_is_no_key(at: Stage) -> None:
    """The key is the secret's characters as given, not what they are in base64."""
    session = await at.session()
    secret = session.provider.identity.secret
    decoded = next(decodings(secret), None)
    if decoded is None:
        raise Lacking("The secret is neither base64 nor hex, so nobody would decode it.")
    body, stamp, nonce = a_bet(), now_ms(), new_nonce()
    signed = message(body, session.provider.identity.counterparty_id, stamp, nonce)
    wrong = signature(decoded, signed)
    await refused(session, How(timestamp=stamp, nonce=nonce, sign=lambda _: wrong), body)


@auth("Authentication")
async def every_failure_looks_the_same(at: Stage) -> None:
    """All authentication failures look the same, but for the `explain` of a sandbox."""
    session = await at.session()
    hows = (How(secret=WRONG), How(counterparty="nobody-" + new_nonce()), How(timestamp="1"))
    answers = [await refused(session, how) for how in hows]
    varies = {"requestId": "", "explain": ""}
    told = {json.dumps(one.fields | varies, default=str) for one in answers}
    ensure(len(told) == 1, f"The failures can be told apart: {', '.join(sorted(told))}")


@auth("Authentication")
async def a_new_secret_is_valid_at_once(at: Stage) -> None:
    """A secret that was just added signs the very next request."""
    there = await at.elsewhere()
    session = await there.session()
    secret = str((await there.act("new_secret"))["secret"])
    (await session.bet("pay-in", How(secret=secret), betId=new_id(), betAmount="1")).expect(1)


@auth(NONCE_RULE)
async def a_nonce_serves_one_request(at: Stage) -> None:
    """A nonce used again with another signature is 401 with code 8, and nothing is applied."""
    session, nonce = await at.session(), new_nonce()
    (await session.post("pay-in-out", a_bet(), How(nonce=nonce))).expect(1)
    await refused(session, How(nonce=nonce))


@auth(NONCE_RULE)
async def a_nonce_is_the_same_in_either_case(at: Stage) -> None:
    """A nonce in upper case is accepted, and is the same nonce as in lower case."""
    session, nonce = await at.session(), f"abcdef{new_nonce()[6:]}"
    (await session.post("pay-in-out", a_bet(), How(nonce=nonce.upper()))).expect(1)
    await refused(session, How(nonce=nonce))


@auth(NONCE_RULE)
async def the_very_same_request_again_is_409(at: Stage) -> None:
    """The same nonce and signature again is 409 with code 0, and tells nothing of the player."""
    session, body = await at.session(), a_bet()
    how = How(nonce=new_nonce(), timestamp=now_ms())
    first = (await session.post("pay-in-out", body, how)).expect(1)
    (await session.post("pay-in-out", body, how)).expect(0, 409, balance=None)
    balance = await session.balance()
    ensure(balance == first.amount("balance"), "The request was applied twice.")


@auth(NONCE_RULE)
async def a_stranger_uses_up_no_nonce(at: Stage) -> None:
    """A request with a bad signature leaves its nonce free for the good one."""
    session, nonce = await at.session(), new_nonce()
    await refused(session, How(nonce=nonce, secret=WRONG))
    (await session.post("pay-in-out", a_bet(), How(nonce=nonce))).expect(1)


@auth(NONCE_RULE)
async def a_refused_request_uses_up_its_nonce(at: Stage) -> None:
    """A signed request claims its nonce whatever becomes of it, also if it is answered with 2."""
    session, nonce = await at.session(), new_nonce()
    (await session.post("pay-in-out", b"[]", How(nonce=nonce))).expect(2)
    await refused(session, How(nonce=nonce))


@auth(NONCE_RULE)
async def a_question_uses_up_its_nonce(at: Stage) -> None:
    """A question for a balance claims its nonce as well."""
    session, nonce = await at.session(), new_nonce()
    (await session.ask_balance(How(nonce=nonce))).expect(1)
    await refused(session, How(nonce=nonce))


@auth(NONCE_RULE)
async def nonces_are_a_providers_own(at: Stage) -> None:
    """Two providers may use the same nonce."""
    mine, nonce = await at.session(), new_nonce()
    theirs = await (await at.elsewhere()).session()
    for session in (mine, theirs):
        (await session.ask_balance(How(nonce=nonce))).expect(1)


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def _dashes(nonce: str) -> str:
    return "-".join((nonce[:8], nonce[8:12], nonce[12:16], nonce[16:20], nonce[20:]))


#: Name, promise, and how each request is signed. A function, because a nonce serves once.
REFUSED: list[tuple[str, str, Callable[[], How]]] = [
    (
        f"a_request_without_{name.lower().replace('-', '_')}_is_refused",
        f"A request without `{name}` is 401 with code 8.",
        partial(How, without=name),
    )
    for name in HEADERS
] + [
    (
        "an_upper_case_signature_is_refused",
        f"`{SIGN}` in upper-case hex is 401 with code 8.",
        lambda: How(sign=str.upper),
    ),
    (
        "a_base64_signature_is_refused",
        f"`{SIGN}` in base64 is 401 with code 8.",
        lambda: How(sign=_base64),
    ),
    (
        "a_wrong_secret_is_refused",
        "A signature made with another secret is 401 with code 8.",
        lambda: How(secret=WRONG),
    ),
    (
        "a_signature_without_the_body_is_refused",
        "A signature that leaves the body out is 401 with code 8.",
        lambda: How(body=b""),
    ),
    (
        "an_unknown_provider_is_refused",
        "A provider that does not exist is 401 with code 8.",
        lambda: How(counterparty=f"nobody-{new_nonce()}"),
    ),
    (
        "a_counterparty_id_that_is_too_long_is_refused",
        f"`{COUNTERPARTY}` of 65 characters is 401 with code 8.",
        lambda: How(counterparty="x" * 65),
    ),
    (
        "a_nonce_with_dashes_is_refused",
        "A nonce in the form of a GUID with dashes is 401 with code 8.",
        lambda: How(nonce=_dashes(new_nonce())),
    ),
    (
        "a_nonce_of_another_length_is_refused",
        "A nonce of 31 hexadecimal digits is 401 with code 8.",
        lambda: How(nonce=new_nonce()[1:]),
    ),
    (
        "a_nonce_that_is_not_hexadecimal_is_refused",
        "A nonce with another character than hexadecimal digits is 401 with code 8.",
        lambda: How(nonce=f"g{new_nonce()[1:]}"),
    ),
]


async def _is_refused(how: Callable[[], How], at: Stage) -> None:
    await refused(await at.session(), how())


for _name, _promise, _how in REFUSED:
    table("authentication", HEADER_RULE, _name, _promise, partial(_is_refused, _how))
