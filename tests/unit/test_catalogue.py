"""A provider's list of games: each entry is read by itself, and a bad one costs no other."""

from decimal import Decimal
from typing import Any

import pytest

from models.directory.games import ListedGame
from models.json_body import read_json
from outbound.catalogue import read_catalogue


def test_games_are_read_exactly_and_what_is_optional_may_be_missing() -> None:
    read = read_catalogue(
        read_entries(
            b"""[{"gameId": 12345678901234567890, "name": "Crash", "gameCategory": "crash",
                  "maxOdd": 1000000.000000000000000001, "lobbyImgUrl": "https://x.example/a.png",
                  "unknown": [1, {"a": null}]},
                 {"gameId": "slot/1", "name": "Slot", "gameCategory": null, "lobbyImgUrl": ""}]"""
        )
    )

    crash = Decimal("1000000.000000000000000001")
    assert read.games == [
        ListedGame("12345678901234567890", "Crash", "crash", crash, "https://x.example/a.png"),
        ListedGame("slot/1", "Slot", None, None, None),
    ]
    assert read.bad == []


@pytest.mark.parametrize(
    ("entry", "game_id"),
    [
        *((bad, None) for bad in (b"null", b"7", b'"x"', b"[]", b"{}", b'{"name": "x"}')),
        *(
            (b'{"gameId": %b, "name": "x"}' % id_, None)
            for id_ in (b"null", b"1.5", b"true", b'""')
        ),
        *((b'{"gameId": %b, "name": "x"}' % id_, None) for id_ in (b'"."', b'".."', b'"\\u0000"')),
        (b'{"gameId": "' + b"x" * 129 + b'", "name": "x"}', None),
        (b'{"gameId": "a", "gameId": "b", "name": "x"}', None),
        *((b'{"gameId": "a", "name": %b}' % name, "a") for name in (b"null", b"7", b'"\\u0007"')),
        (b'{"gameId": "a", "name": "' + b"x" * 257 + b'"}', "a"),
        (b'{"gameId": "a", "name": "x", "gameCategory": []}', "a"),
        *(
            (b'{"gameId": "a", "name": "x", "maxOdd": %b}' % odd, "a")
            for odd in (b"-1", b"NaN", b"1e99", b"true", b'"ten"', b"0.0000000000000000001")
        ),
        *(
            (b'{"gameId": "a", "name": "x", "lobbyImgUrl": %b}' % url, "a")
            for url in (b'"javascript:alert(1)"', b'"a.png"', b"7", b'"data:image/png;base64,x"')
        ),
    ],
)
def test_a_bad_entry_is_named_and_the_others_are_kept(entry: bytes, game_id: str | None) -> None:
    good = b'{"gameId": "good", "name": "Good"}'

    read = read_catalogue(read_entries(b"[" + b", ".join((good, entry)) + b"]"))

    assert [game.game_id for game in read.games] == ["good"]
    (bad,) = read.bad
    assert (bad.entry, bad.game_id) == (2, game_id)
    assert bad.why


def test_the_first_of_two_games_with_one_id_counts() -> None:
    read = read_catalogue(
        read_entries(b'[{"gameId": 1, "name": "a"}, {"gameId": "1", "name": "b"}]')
    )

    assert [game.name for game in read.games] == ["a"]
    assert read.bad[0].game_id == "1"


def read_entries(text: bytes) -> list[Any]:
    """The list as the client reads it."""
    found = read_json(text)
    assert isinstance(found, list)
    return found
