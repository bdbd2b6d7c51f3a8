"""PROTOCOL.md on calls without a body: signed, their nonce claimed, and nobody's to wait for."""

import secrets
from collections.abc import Callable

import pytest

from tests.service.support.client import Answer, ProviderClient, encode, read_answer
from tests.service.support.refusals import beside
from tests.service.support.traces import burnt
from tests.service.support.world import Seat, World


def balance_path(seat: Seat) -> str:
    return f"/v1/sessions/{seat.session_id}/balance"


def status_path(seat: Seat) -> str:
    return f"/v1/bets?betId={seat.session_id}"


def bad_query(_: Seat) -> str:
    return "/v1/bets"


def no_session(_: Seat) -> str:
    return f"/v1/sessions/{secrets.token_hex(16)}/balance"


Path = Callable[[Seat], str]
READS: list[Path] = [balance_path, status_path]
REFUSED: list[Path] = [bad_query, no_session]


def get(client: ProviderClient, path: str, headers: dict[str, str]) -> Answer:
    return read_answer(client.http.get(f"{client.url}{path}", headers=headers))


@pytest.mark.parametrize("path", [*READS, *REFUSED])
def test_the_very_same_question_again_is_409_and_says_nothing(
    world: World, seat: Seat, path: Path
) -> None:
    asked = path(seat)
    headers = seat.client.headers(b"")
    first = get(seat.client, asked, headers)

    for gateway in world.gateways:
        seat.client.url = gateway.url
        again = get(seat.client, asked, headers)

        assert (again.status, again.code) == (409, 0)
        assert set(again.body) == {"_responseCode", "error", "message", "requestId"}
    assert first.code == (3 if path is no_session else 2 if path is bad_query else 1)


@pytest.mark.parametrize("path", [*READS, *REFUSED])
def test_a_nonce_of_a_question_is_never_used_again(world: World, seat: Seat, path: Path) -> None:
    nonce = secrets.token_hex(16)
    get(seat.client, path(seat), seat.client.headers(b"", nonce=nonce))
    body = encode({"betId": "a", "betAmount": 1})
    bet_path = f"/v1/sessions/{seat.session_id}/bets/pay-in"

    for spelled in (nonce, nonce.upper()):
        other = seat.client.headers(b"", nonce=spelled, timestamp=_later(seat))
        asked = get(seat.client, balance_path(seat), other)
        bet = seat.client.post(bet_path, body, seat.client.headers(body, nonce=spelled))
        assert [(asked.status, asked.code), (bet.status, bet.code)] == [(401, 8)] * 2
    assert len(burnt(world, world.provider_row(seat.client))) == 1
    assert world.balance(seat) == 1000


@pytest.mark.parametrize("path", READS)
def test_a_nonce_of_a_bet_is_none_for_a_question(seat: Seat, path: Path) -> None:
    nonce, body = secrets.token_hex(16), encode({"betId": "a", "betAmount": 1})
    bet_path = f"/v1/sessions/{seat.session_id}/bets/pay-in"
    assert seat.client.post(bet_path, body, seat.client.headers(body, nonce=nonce)).code == 1

    asked = get(seat.client, path(seat), seat.client.headers(b"", nonce=nonce))

    assert (asked.status, asked.code) == (401, 8)
    assert "balance" not in asked.body


@pytest.mark.parametrize("path", READS)
def test_a_question_that_is_not_authentic_is_401_and_burns_no_nonce(
    world: World, seat: Seat, path: Path
) -> None:
    nonce = secrets.token_hex(16)
    own = seat.client
    guesser = ProviderClient(own.url, own.counterparty_id, "wrong", own.http)

    for headers in (
        guesser.headers(b"", nonce=nonce),
        own.headers(b"", nonce=nonce, timestamp="1719766120806"),
        own.headers(b"", nonce=nonce, sign=None),
        own.headers(b"a body that is not sent", nonce=nonce),
    ):
        answer = get(own, path(seat), headers)
        assert (answer.status, answer.code) == (401, 8)
    assert not burnt(world, world.provider_row(seat.client))
    assert get(own, path(seat), own.headers(b"", nonce=nonce)).code == 1


def test_the_balance_is_of_the_sessions_player_and_at_every_gateway_the_present_one(
    world: World, seat: Seat
) -> None:
    dollars = beside(world, seat, "7.5", currency="USD")

    for gateway in world.gateways:
        seat.client.url = gateway.url
        for of, balance, currency in ((seat, 1000, "EUR"), (dollars, 7.5, "USD")):
            answer = of.balance()
            assert (answer.status, list(answer.body)) == (
                200,
                ["currency", "balance", "_responseCode"],
            )
            assert (answer.body["currency"], answer.body["balance"]) == (currency, balance)


def _later(seat: Seat) -> str:
    """A timestamp that no request had before, so that the signature is another one."""
    return str(int(seat.client.headers(b"")["X-Timestamp"]) + 1000)
