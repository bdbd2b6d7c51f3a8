"""Authentication: every reason to refuse a signature, and that all refusals look the same."""

import secrets
import time
from collections.abc import Callable
from uuid import UUID

import pytest

from models.audit.log import operation
from models.directory.providers import add_secret, revoke_secret
from tests.service.support import keys
from tests.service.support.client import Answer, ProviderClient, encode, pay_in_out_path
from tests.service.support.patience import wait_for_quiet
from tests.service.support.processes import until
from tests.service.support.raw import ask, conversation, request
from tests.service.support.traces import assert_no_trace, remember_long
from tests.service.support.world import PlayerSession, World

NAMES = {
    "counterparty": "X-Counterparty-Id",
    "timestamp": "X-Timestamp",
    "nonce": "X-Request-Id",
    "sign": "X-Sign",
}
BODY = encode({"betId": "a", "betAmount": 1, "winAmount": 0})

Pairs = list[tuple[str | bytes, str | bytes]]


def send(player: PlayerSession, headers: Pairs, body: bytes = BODY) -> Answer:
    return ask(player.client.url, request(pay_in_out_path(player.session_id), body, headers))


def assert_unauthorized(answer: Answer) -> None:
    assert (answer.status, answer.code) == (401, 8)
    assert answer.body["error"] == "unauthorized"
    assert set(answer.body) <= {"_responseCode", "error", "message", "requestId"}


def refused_without_trace(world: World, player: PlayerSession, headers: Pairs) -> None:
    answer = send(player, headers)

    assert_unauthorized(answer)
    assert_no_trace(world, player)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_without_one_of_the_four_headers_is_refused(
    world: World, player: PlayerSession, name: str
) -> None:
    refused_without_trace(world, player, [*player.client.headers(BODY, **{name: None}).items()])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", ["the same", "another", "none"])
def test_a_header_given_twice_is_refused_even_if_one_is_right(
    world: World, player: PlayerSession, name: str, first: str
) -> None:
    headers = player.client.headers(BODY)
    right = headers.pop(NAMES[name])
    other = {"the same": right, "another": right[:-1] + "0", "none": ""}[first]
    pair: Pairs = [(NAMES[name], right), (NAMES[name].lower(), other)]

    refused_without_trace(world, player, [*headers.items(), *pair])
    refused_without_trace(world, player, [*pair[::-1], *headers.items()])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strange", [b"\xe9", "é".encode(), "٣".encode(), b"\xff\xfe", b"\x80"])
def test_a_header_that_is_not_ascii_is_refused(
    world: World, player: PlayerSession, name: str, strange: bytes
) -> None:
    headers: Pairs = [*player.client.headers(BODY).items()]
    changed = [
        (key, value[:-1].encode() + strange if key == NAMES[name] else value)
        for key, value in headers
        if isinstance(value, str)
    ]

    refused_without_trace(world, player, [*changed])


MALFORMED: dict[str, tuple[str, Callable[[str], str]]] = {
    "counterparty empty": ("counterparty", lambda _: ""),
    "counterparty of 65 characters": ("counterparty", lambda right: right.ljust(65, "x")),
    "counterparty with a space": ("counterparty", lambda right: right[:4] + " " + right[4:]),
    "counterparty in capitals": ("counterparty", str.upper),
    "timestamp empty": ("timestamp", lambda _: ""),
    "timestamp in seconds": ("timestamp", lambda right: right[:-3]),
    "timestamp in microseconds": ("timestamp", lambda right: right + "000"),
    "timestamp with a minus": ("timestamp", lambda right: "-" + right),
    "timestamp with a plus": ("timestamp", lambda right: "+" + right),
    "timestamp with a point": ("timestamp", lambda right: right + ".0"),
    "timestamp with an underscore": ("timestamp", lambda right: right[:1] + "_" + right[1:]),
    "timestamp of 17 digits": ("timestamp", lambda right: "0" * 4 + right),
    "timestamp with an exponent": ("timestamp", lambda right: f"{right[0]}.{right[1:]}e12"),
    "timestamp in hexadecimal": ("timestamp", lambda right: hex(int(right))),
    "timestamp of 5,000 digits": ("timestamp", lambda _: "9" * 5_000),
    "nonce empty": ("nonce", lambda _: ""),
    "nonce of 31 digits": ("nonce", lambda right: right[:-1]),
    "nonce of 33 digits": ("nonce", lambda right: right + "0"),
    "nonce that is not hexadecimal": ("nonce", lambda right: "g" + right[1:]),
    "nonce with dashes": ("nonce", lambda right: str(UUID(right))),
    "nonce with 32 characters and a dash": ("nonce", lambda right: right[:8] + "-" + right[9:]),
    "nonce in braces": ("nonce", lambda right: "{" + right[2:] + "}"),
    "nonce twice in one": ("nonce", lambda right: right + "," + right),
    "sign empty": ("sign", lambda _: ""),
    "sign in capitals": ("sign", str.upper),
    "sign of 63 digits": ("sign", lambda right: right[:-1]),
    "sign of 65 digits": ("sign", lambda right: right + "0"),
    "sign with 0x": ("sign", lambda right: "0x" + right[2:]),
    "sign twice in one": ("sign", lambda right: right + ", " + right),
    "sign with another last digit": ("sign", lambda right: right[:-1] + "10"[right[-1] == "1"]),
    "sign of zeros": ("sign", lambda _: "0" * 64),
}


@pytest.mark.parametrize(("name", "change"), MALFORMED.values(), ids=MALFORMED)
def test_a_header_of_another_form_is_refused_even_if_it_is_signed(
    world: World, player: PlayerSession, name: str, change: Callable[[str], str]
) -> None:
    right = player.client.headers(BODY)[NAMES[name]]

    headers = player.client.headers(BODY, **{name: change(right)})

    refused_without_trace(world, player, [*headers.items()])


@pytest.mark.parametrize("seconds", [-31, 31, -86_400, 86_400])
def test_a_clock_more_than_thirty_seconds_away_is_refused(
    world: World, player: PlayerSession, seconds: int
) -> None:
    remember_long(world)
    stamp = str(int((time.time() + seconds) * 1000))

    refused_without_trace(world, player, [*player.client.headers(BODY, timestamp=stamp).items()])


@pytest.mark.parametrize("seconds", [-29, 29])
def test_a_clock_less_than_thirty_seconds_away_is_fine(
    world: World, player: PlayerSession, seconds: int
) -> None:
    remember_long(world)
    stamp = str(int((time.time() + seconds) * 1000))

    answer = send(player, [*player.client.headers(BODY, timestamp=stamp).items()])

    assert (answer.status, answer.code) == (200, 1)


@pytest.mark.parametrize("altered", [BODY.replace(b"1", b"2"), BODY + b" ", b"", BODY[:-1], b"{}"])
def test_a_body_altered_after_signing_is_refused(
    world: World, player: PlayerSession, altered: bytes
) -> None:
    answer = send(player, [*player.client.headers(BODY).items()], altered)

    assert_unauthorized(answer)
    assert_no_trace(world, player)


def test_the_secret_of_another_provider_or_of_none_signs_nothing(
    world: World, player: PlayerSession
) -> None:
    own = player.client
    for secret in (world.provider().secret, own.secret[:-1], own.secret + "=", own.secret.lower()):
        stranger = ProviderClient(own.url, own.counterparty_id, secret, own.http)

        refused_without_trace(world, player, [*stranger.headers(BODY).items()])


def test_a_provider_that_does_not_exist_leaves_nothing_in_redis(
    world: World, player: PlayerSession
) -> None:
    nonce = secrets.token_hex(16)
    stranger = ProviderClient(player.client.url, "nobody", "nobody's secret", player.client.http)

    refused_without_trace(world, player, [*stranger.headers(BODY, nonce=nonce).items()])

    assert world.redis.keys(f"*{nonce}*") == []


def test_a_secret_that_was_added_counts_at_once_and_the_first_still_does(
    world: World, player: PlayerSession
) -> None:
    for number in range(3):
        with operation(world.urls.database, keys.AUTHOR) as database:
            _, secret = add_secret(database, player.client.counterparty_id, keys.CIPHER)
        for known in (secret, player.client.secret):
            client = ProviderClient(
                world.gateways[number % 2].url,
                player.client.counterparty_id,
                known,
                player.client.http,
            )
            answer = client.pay_in_out(
                player.session_id, betId=f"{number}{known}", betAmount=1, winAmount=0
            )
            assert (answer.status, answer.code) == (200, 1)


def test_a_revoked_secret_is_refused_within_two_seconds_by_every_gateway(
    world: World, player: PlayerSession
) -> None:
    clients = [
        ProviderClient(
            gateway.url, player.client.counterparty_id, player.client.secret, player.client.http
        )
        for gateway in world.gateways
    ]
    path = pay_in_out_path(player.session_id)
    assert [client.post(path, b"{}").code for client in clients] == [2, 2]
    wait_for_quiet()
    [(secret,)] = world.rows(
        "select id from provider_secret where provider_id = %s",
        world.provider_row(player.client),
    )
    with operation(world.operator_url, keys.AUTHOR) as database:
        revoke_secret(database, player.client.counterparty_id, secret)
    revoked = time.monotonic()

    until(lambda: all(client.post(path, b"{}").code == 8 for client in clients))

    assert time.monotonic() - revoked < 2
    for client in clients:
        assert_unauthorized(client.post(path, BODY))


def test_all_failures_of_authentication_look_the_same_from_outside(player: PlayerSession) -> None:
    own, nonce = player.client, secrets.token_hex(16)
    stranger = ProviderClient(own.url, "nobody", own.secret, own.http)
    guesser = ProviderClient(own.url, own.counterparty_id, "wrong", own.http)
    late = str(int((time.time() - 31) * 1000))
    early = str(int((time.time() + 31) * 1000))
    good = own.headers(BODY, nonce=nonce)
    refused = [
        (stranger.headers(BODY, nonce=nonce), BODY),
        (guesser.headers(BODY, nonce=nonce), BODY),
        (own.headers(BODY, nonce=nonce, timestamp=late), BODY),
        (own.headers(BODY, nonce=nonce, timestamp=early), BODY),
        (own.headers(BODY, nonce=nonce, counterparty=None), BODY),
        (own.headers(BODY, nonce=nonce, sign="short"), BODY),
        (good, BODY + b" "),
        (good, BODY),  # the first and only one that is accepted
        (own.headers(b"{}", nonce=nonce), b"{}"),  # the nonce is burnt now
    ]

    texts = []
    for headers, body in refused:
        with conversation(own.url) as talk:
            talk.send(request(pay_in_out_path(player.session_id), body, headers))
            response = talk.response()
        kept = {name: value for name, value in response.headers.items() if name != "date"}
        texts.append((response.status_code, kept, response.text))

    accepted = texts.pop(7)
    assert accepted[0] == 200
    assert texts == [texts[0]] * 8
    assert texts[0][0] == 401
    assert f'"requestId": "{nonce}"' in texts[0][2]
