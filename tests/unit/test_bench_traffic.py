"""The requests of the benchmark: signed as a provider signs, spread as players are, in order."""

import json
import random
from collections import Counter
from typing import Any, cast

from starlette.types import Message, Scope

from api.wallet.auth import Authenticator
from api.wallet.calls import read_call
from bench.people import people_of
from bench.traffic import MIX, Signed, sign_traffic
from models.deadline import Deadline
from models.keys import Purpose
from models.ledger.gateway_reads import GatewayReads
from settings import Settings
from tests.service.support import keys
from tests.unit.gateway_parts import CLIENT, PLACE, SECRET, Behind

SETTINGS = Settings(secrets_key=keys.HEX[Purpose.SECRETS])
PEOPLE = people_of(CLIENT.counterparty_id, SECRET, [f"session-{rank}" for rank in range(1000)])


async def test_the_gateway_accepts_what_is_signed() -> None:
    authenticator = Authenticator(SETTINGS, cast("GatewayReads", Behind()))
    requests = sign_traffic(PEOPLE, 3000, "mix")
    first_of_each = {path_of(signed).rpartition("/")[2]: signed for signed in requests}

    try:
        for signed in first_of_each.values():
            scope, body = parsed(signed)
            call = await read_call(scope, receiving(body), 1000, Deadline.within(1))
            accepted = await authenticator.authenticate(call, Deadline.within(1))
            assert accepted.provider_id == PLACE.provider_id
    finally:
        await authenticator.stop()
    assert first_of_each.keys() == MIX.keys()


def test_the_player_of_rank_k_plays_one_kth_as_often_as_the_first() -> None:
    played = Counter(PEOPLE.spread(100_000, random.Random(1)))

    first = played["session-0"]
    for rank in (2, 3, 10):
        assert abs(played[f"session-{rank - 1}"] / first - 1 / rank) < 0.03
    assert len(played) > 900


def test_one_hot_player_makes_every_bet() -> None:
    assert len({path_of(signed) for signed in sign_traffic(PEOPLE, 50, players="hot")}) == 1


def test_no_nonce_and_no_bet_comes_twice() -> None:
    requests = sign_traffic(PEOPLE, 500)

    assert len({header(signed, "X-Request-Id") for signed in requests}) == 500
    assert len({bet_of(signed) for signed in requests}) == 500


def test_a_mix_has_its_shares() -> None:
    calls = Counter(
        path_of(signed).rpartition("/")[2] for signed in sign_traffic(PEOPLE, 40_000, "mix")
    )

    for call, percent in MIX.items():
        # Pay-outs and refunds begin late, when there is something to pay out.
        assert abs(calls[call] / 400 - percent) < 2.5, calls


def test_a_pay_out_follows_its_pay_in_at_a_distance_and_comes_once() -> None:
    needs = {"pay-out": "pay-in", "refund": "pay-in-out"}
    made: dict[tuple[str, str, str], int] = {}
    late = 0
    for position, signed in enumerate(sign_traffic(PEOPLE, 10_000, "mix")):
        session, call = path_of(signed).split("/")[3], path_of(signed).rpartition("/")[2]
        if call in needs:
            earlier = made.pop((session, needs[call], bet_of(signed)))
            assert position - earlier >= 1024
            late += 1
        elif call != "balance":
            made[session, call, bet_of(signed)] = position

    assert late > 1000


def test_it_is_known_what_each_request_writes() -> None:
    writes = {
        path_of(signed).rpartition("/")[2]: (signed.bets, signed.transfers)
        for signed in sign_traffic(PEOPLE, 5000, "mix")
    }

    assert writes == {
        "pay-in-out": (1, 2),
        "pay-in": (1, 1),
        "pay-out": (0, 1),
        "refund": (0, 2),
        "balance": (0, 0),
    }


def path_of(signed: Signed) -> str:
    """The path of a request."""
    return signed.request.decode().split(" ")[1]


def header(signed: Signed, name: str) -> str:
    """One header of a request."""
    head = signed.request.decode().partition("\r\n\r\n")[0]
    return next(line for line in head.splitlines() if line.startswith(f"{name}: ")).split(": ")[1]


def bet_of(signed: Signed) -> str:
    """The bet that a request is about."""
    return str(json.loads(signed.request.partition(b"\r\n\r\n")[2])["betId"])


def parsed(signed: Signed) -> tuple[Scope, bytes]:
    """A request as an ASGI server reads it: headers in small letters, and the body."""
    head, _, body = signed.request.partition(b"\r\n\r\n")
    headers = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    lengths = [int(value) for name, _, value in headers if name == b"Content-Length"]
    assert lengths == ([len(body)] if body else [])
    return {"headers": [(name.lower(), value) for name, _, value in headers]}, body


def receiving(body: bytes) -> Any:
    """The body, as an ASGI application receives it."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return receive
