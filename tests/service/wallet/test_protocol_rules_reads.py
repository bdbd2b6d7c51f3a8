"""PROTOCOL.md on calls without a body: signed, with a nonce of their own, never queued."""

import secrets
from collections.abc import Callable

import pytest

from tests.service.support.client import Answer, ProviderClient, encode, read_answer
from tests.service.support.refusals import beside
from tests.service.support.traces import burnt
from tests.service.support.world import PlayerSession, World


def balance_path(player: PlayerSession) -> str:
    return f"/v1/sessions/{player.session_id}/balance"


def status_path(player: PlayerSession) -> str:
    return f"/v1/bets?betId={player.session_id}"


def bad_query(_: PlayerSession) -> str:
    return "/v1/bets"


def no_session(_: PlayerSession) -> str:
    return f"/v1/sessions/{secrets.token_hex(16)}/balance"


Path = Callable[[PlayerSession], str]
READS: list[Path] = [balance_path, status_path]
REFUSED: list[Path] = [bad_query, no_session]


def get(client: ProviderClient, path: str, headers: dict[str, str]) -> Answer:
    return read_answer(client.http.get(f"{client.url}{path}", headers=headers))


@pytest.mark.parametrize("path", [*READS, *REFUSED])
def test_the_very_same_question_again_is_409_and_says_nothing(
    world: World, player: PlayerSession, path: Path
) -> None:
    asked = path(player)
    headers = player.client.headers(b"")
    first = get(player.client, asked, headers)

    for gateway in world.gateways:
        player.client.url = gateway.url
        again = get(player.client, asked, headers)

        assert (again.status, again.code) == (409, 0)
        assert set(again.body) == {"_responseCode", "error", "message", "requestId"}
    assert first.code == (3 if path is no_session else 2 if path is bad_query else 1)


@pytest.mark.parametrize("path", [*READS, *REFUSED])
def test_a_nonce_of_a_question_is_never_used_again(
    world: World, player: PlayerSession, path: Path
) -> None:
    nonce = secrets.token_hex(16)
    get(player.client, path(player), player.client.headers(b"", nonce=nonce))
    body = encode({"betId": "a", "betAmount": 1})
    bet_path = f"/v1/sessions/{player.session_id}/bets/pay-in"

    for spelled in (nonce, nonce.upper()):
        other = player.client.headers(b"", nonce=spelled, timestamp=_later(player))
        asked = get(player.client, balance_path(player), other)
        bet = player.client.post(bet_path, body, player.client.headers(body, nonce=spelled))
        assert [(asked.status, asked.code), (bet.status, bet.code)] == [(401, 8)] * 2
    assert len(burnt(world, world.provider_row(player.client))) == 1
    assert world.balance(player) == 1000


@pytest.mark.parametrize("path", READS)
def test_a_nonce_of_a_bet_is_none_for_a_question(player: PlayerSession, path: Path) -> None:
    nonce, body = secrets.token_hex(16), encode({"betId": "a", "betAmount": 1})
    bet_path = f"/v1/sessions/{player.session_id}/bets/pay-in"
    assert player.client.post(bet_path, body, player.client.headers(body, nonce=nonce)).code == 1

    asked = get(player.client, path(player), player.client.headers(b"", nonce=nonce))

    assert (asked.status, asked.code) == (401, 8)
    assert "balance" not in asked.body


@pytest.mark.parametrize("path", READS)
def test_a_question_that_is_not_authentic_is_401_and_burns_no_nonce(
    world: World, player: PlayerSession, path: Path
) -> None:
    nonce = secrets.token_hex(16)
    own = player.client
    guesser = ProviderClient(own.url, own.counterparty_id, "wrong", own.http)

    for headers in (
        guesser.headers(b"", nonce=nonce),
        own.headers(b"", nonce=nonce, timestamp="1719766120806"),
        own.headers(b"", nonce=nonce, sign=None),
        own.headers(b"a body that is not sent", nonce=nonce),
    ):
        answer = get(own, path(player), headers)
        assert (answer.status, answer.code) == (401, 8)
    assert not burnt(world, world.provider_row(player.client))
    assert get(own, path(player), own.headers(b"", nonce=nonce)).code == 1


def test_the_balance_is_of_the_sessions_player_and_at_every_gateway_the_present_one(
    world: World, player: PlayerSession
) -> None:
    dollars = beside(world, player, "7.5", currency="USD")

    for gateway in world.gateways:
        player.client.url = gateway.url
        for of, balance, currency in ((player, 1000, "EUR"), (dollars, 7.5, "USD")):
            answer = of.balance()
            assert (answer.status, list(answer.body)) == (
                200,
                ["currency", "balance", "_responseCode"],
            )
            assert (answer.body["currency"], answer.body["balance"]) == (currency, balance)


def _later(player: PlayerSession) -> str:
    """A timestamp that no request had before, so that the signature is another one."""
    return str(int(player.client.headers(b"")["X-Timestamp"]) + 1000)
