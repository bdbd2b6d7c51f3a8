"""Bodies: one plain object of at most 16 KiB is read. Others are refused without a trace."""

import json
from collections.abc import Callable

import pytest

from tests.service.support.bodies import assert_refused, assert_taken, body, send
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World

LIMIT = 16 * 1024

NO_OBJECT = {
    "nothing": b"",
    "a form": b"betId=a&betAmount=1",
    "a list": b"[" + body() + b"]",
    "a string": b'"{}"',
    "null": b"null",
    "a number": b"1",
    "an object cut off": body()[:-1],
    "two objects": body() * 2,
    "something behind it": body() + b"x",
    "a NUL behind it": body() + b"\x00",
    "a comma too many": body()[:-1] + b",}",
    "single quotes": body().replace(b'"', b"'"),
    "a comment": b"/**/" + body(),
    "another kind of space": "\u00a0".encode() + body(),
    "a byte order mark": b"\xef\xbb\xbf" + body(),
    "UTF-16": body().decode().encode("utf-16"),
    "UTF-16 without a mark": body().decode().encode("utf-16-le"),
    "Latin-1": body(x='"é"').decode().encode("latin-1"),
    "a surrogate in UTF-8": body(x='"X"').replace(b"X", b"\xed\xa0\x80"),
    "an overlong NUL": body(x='"X"').replace(b"X", b"\xc0\x80"),
    "betId twice": body()[:-1] + b',"betId":"a"}',
    "betAmount twice, once escaped": body()[:-1] + b',"bet\\u0041mount":2}',
    "17 levels": body(x="[" * 16 + "]" * 16),
    "8,000 brackets": body(x="[" * 4_000 + "]" * 4_000),
    "8,000 brackets that stay open": b"[" * 8_000,
    "braces that stay open": b'{"a":' * 3_200,
    "17 levels and quotes that stay open": b"[" * 17 + b'"' + b'\\"' * 8_000,
}


@pytest.mark.parametrize("sent", NO_OBJECT.values(), ids=NO_OBJECT)
def test_what_is_not_one_plain_object_is_refused(
    world: World, player: PlayerSession, sent: bytes
) -> None:
    assert_refused(world, player, sent)


@pytest.mark.parametrize(
    "fields",
    [
        {"x": "NaN"},
        {"x": "[-Infinity, Infinity, 1e400, -0]"},
        {"x": "9" * 5_000},
        {"x": '{"a":1,"a":2}'},
        {"x": '[{"betId":"b","betId":"c"}]'},
        {"x": '"\\ud83d\\u0000"'},
        {"x": "[" * 15 + "]" * 15},
        {"x": '"' + "[{" * 4_000 + '"'},
        {"\\ud800": "1"},
        {"betID": '"b"', "BetAmount": "-1"},
        {"_responseCode": "8"},
        {"currency": "null", "playerId": "{}"},
    ],
)
def test_a_field_that_is_not_ours_may_hold_anything(
    player: PlayerSession, fields: dict[str, str]
) -> None:
    assert_taken(player, body(**fields))


def test_space_around_json_and_escapes_inside_are_json(world: World, player: PlayerSession) -> None:
    assert_taken(player, b' \r\n\t{ "\\u0062etId" : "\\u0061" , "betAmount":1,"winAmount":0 }\n ')

    provider = world.provider_row(player.client)
    assert world.rows("select bet_id from bet where provider_id = %s", provider) == [("a",)]


NO_TEXTS = [
    *['""', "true", "{}", "[]", '["a"]', "NaN", "1.5", "1e3", "-Infinity"],
    '"' + "a" * 129 + '"',
    '"' + "\U0001f600" * 129 + '"',
    "1" * 129,
    *[f'"a{escape}"' for escape in ("\\u0000", "\\n", "\\u001f", "\\u007f", "\\u0085", "\x7f")],
    *[f'"{escape}a"' for escape in ("\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\uD800\\u0041")],
]


@pytest.mark.parametrize("spelling", NO_TEXTS, ids=lambda text: ascii(text)[:20])
def test_what_is_no_text_of_ours_is_refused_as_a_bet_and_as_a_round(
    world: World, player: PlayerSession, spelling: str
) -> None:
    assert_refused(world, player, body(betId=spelling), body(gameRoundId=spelling))


TEXTS = [
    *("a" * 128, "\U0001f600" * 128, "\U0001f600", "e\u0301", "\u202e", "\ufeff", "\uffff"),
    *("NULL", "null", '"', "\\", '\\"', "{}", "a,b", "'", "%s", "$1", " ", "\u00a0", "\u2028", "0"),
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
def test_every_other_text_names_a_bet_exactly_escaped_or_not(
    world: World, player: PlayerSession, text: str
) -> None:
    fields = {"betId": text, "gameRoundId": text, "betAmount": 1, "winAmount": 0}

    first = assert_taken(player, json.dumps(fields).encode())
    again = assert_taken(player, json.dumps(fields, ensure_ascii=False).encode())

    assert again.body["betTransactionId"] == first.body["betTransactionId"]
    provider = world.provider_row(player.client)
    recorded = world.rows("select bet_id, round_id from bet where provider_id = %s", provider)
    assert recorded == [(text, text)]


@pytest.mark.parametrize("number", ["0", "-5", "4178696881", "9" * 128])
def test_a_whole_number_names_the_bet_of_its_text(player: PlayerSession, number: str) -> None:
    first = assert_taken(player, body(betId=number))
    again = assert_taken(player, body(betId=f'"{number}"'))

    assert again.body["betTransactionId"] == first.body["betTransactionId"]


@pytest.mark.parametrize("change", [str.upper, lambda _: "another", lambda _: "", lambda i: i[1:]])
def test_a_session_in_the_body_that_is_not_the_paths_is_refused(
    world: World, player: PlayerSession, change: Callable[[str], str]
) -> None:
    assert_refused(world, player, body(sessionId=json.dumps(change(player.session_id))))


@pytest.mark.parametrize("spelling", ["null", "1", "[]", '"\\ud800"', "NaN"])
def test_a_session_in_the_body_that_is_no_text_is_refused(
    world: World, player: PlayerSession, spelling: str
) -> None:
    assert_refused(world, player, body(sessionId=spelling))


def test_a_body_of_16_kib_is_taken_and_one_byte_more_is_413(
    world: World, player: PlayerSession
) -> None:
    room = LIMIT - len(body(x='""'))

    too_long = send(player, body(x='"' + "x" * (room + 1) + '"'))
    assert (too_long.status, too_long.code) == (413, 2)
    assert too_long.body["error"] == "invalid_request"
    assert_no_trace(world, player)

    assert_taken(player, body(x='"' + "x" * room + '"'))
