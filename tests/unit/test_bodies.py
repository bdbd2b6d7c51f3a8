"""Bodies: a JSON object is read without losing a digit, and everything else is refused."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import InvalidRequest
from models.json_body import read_object
from models.money import JsonNumber

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)

#: Text that is nearly JSON: brackets, quotes, escapes, digits and the letters of its words.
NEARLY_JSON = st.text('{}[]":,\\ 0123456789.eE+-truefalsnNI\n\x00\ud800é', max_size=60)


def same(read: object, meant: object) -> bool:
    """Whether the value read is the value meant. Numbers are compared as the characters sent."""
    match meant:
        case bool() | None:
            return read is meant
        case int() | float():
            text = json.dumps(meant)
            if text in ("NaN", "Infinity", "-Infinity"):
                return not isinstance(read, str)  # nothing that a named field could be
            return type(read) is JsonNumber and read == text
        case list():
            if not isinstance(read, list) or len(read) != len(meant):
                return False
            return all(map(same, read, meant))
        case dict():
            return isinstance(read, dict) and all(same(read[key], meant[key]) for key in meant)
        case _:
            return type(read) is str and read == meant


def levels(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(levels, value.values()), default=0)
        case list():
            return 1 + max(map(levels, value), default=0)
        case _:
            return 0


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_every_object_is_read_as_it_was_meant(
    meant: dict[str, object], ascii_only: bool, indent: int | str | None
) -> None:
    text = json.dumps(meant, ensure_ascii=ascii_only, indent=indent)

    read = read_object(text.encode())

    assert same(read, meant)
    assert read.keys() == meant.keys()


@given(st.from_regex(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", fullmatch=True))
@example("1.10")
@example("999999999999999.99")
@example("0.1000000000000000055511151231257827021181583404541015625")
def test_a_number_keeps_every_character_it_had(text: str) -> None:
    read = read_object(f'{{"a":{text}}}'.encode())["a"]

    assert type(read) is JsonNumber
    assert read == text


@given(st.binary(max_size=60) | NEARLY_JSON.map(lambda text: text.encode(errors="surrogatepass")))
@example(b"\xef\xbb\xbf{}")
@example("{}".encode("utf-16"))
@example("{}".encode("utf-16-le"))
@example(b"{}{}")
@example(b"\x0b{}")
@example("\u00a0{}".encode())
def test_whatever_is_sent_is_read_as_json_is_read_or_refused(body: bytes) -> None:
    try:
        text = body.decode()
        expected = json.loads(text) if not text.startswith("\ufeff") else None
    except ValueError:
        expected = None

    try:
        read = read_object(body)
    except InvalidRequest:
        assert not isinstance(expected, dict) or levels(expected) > 16 or names_twice(text)
    else:
        assert isinstance(expected, dict)
        assert read.keys() == expected.keys()


def names_twice(text: str) -> bool:
    pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    return len(dict(pairs)) < len(pairs)


@given(st.lists(st.sampled_from(['{"a":', "["]), max_size=24), st.sampled_from(["1", '"]]]{{{"']))
def test_sixteen_levels_are_read_and_seventeen_are_refused(
    openings: list[str], innermost: str
) -> None:
    closings = ["}" if opening == '{"a":' else "]" for opening in reversed(openings)]
    body = '{"x":' + "".join([*openings, innermost, *closings]) + "}"

    if len(openings) < 16:
        assert read_object(body.encode()).keys() == {"x"}
    else:
        with pytest.raises(InvalidRequest, match="16 levels"):
            read_object(body.encode())


@pytest.mark.parametrize("inside", ["[{" * 200, '\\"' + "[" * 99, "\\\\", '\\\\\\"[[[[', "]}" * 50])
def test_brackets_inside_a_string_are_no_levels(inside: str) -> None:
    read = read_object(f'{{"a":"{inside}","b":[[]]}}'.encode())

    assert read["b"] == [[]]
    assert isinstance(read["a"], str)


@pytest.mark.parametrize(
    "body",
    [
        b'{"betId":"a","betId":"a"}',
        b'{"betId":"a","x":1,"bet\\u0049d":"b"}',
        b'{"x":1,"x":2}',
        b'{"":1,"":2}',
    ],
)
def test_a_key_given_twice_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        read_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":{"a":1,"a":2},"betId":"b"}',
        b'{"x":[{"a":1,"a":2}],"betId":"b"}',
        b'{"x":NaN,"betId":"b"}',
        b'{"x":[-Infinity,Infinity,1e99999],"betId":"b"}',
        b'{"x":' + b"9" * 9000 + b',"betId":"b"}',
        b'{"x":"\\ud800","\\udfff":0,"betId":"b"}',
        b'{"BetId":"c","betid":1,"betId":"b"}',
    ],
)
def test_a_field_that_nobody_reads_may_hold_anything(body: bytes) -> None:
    assert read_object(body)["betId"] == "b"


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"true", b"[]", b"[{}]", b'"{}"', b"1"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_object(body)


HEAVY: Mapping[str, bytes] = {
    "quotes that never close": b"[" * 17 + b'"' + b'\\"' * 8_180,
    "backslashes": b"[" * 17 + b'"' + b"\\" * 16_000,
    "quotes": b"[" * 17 + b'"' * 16_000,
    "brackets": b"[" * 16_384,
    "pairs of brackets": b'{"a":[' + b"[]," * 5_400 + b"[]]}",
    "digits": b'{"a":' + b"9" * 16_000 + b"}",
    "decimals": b'{"a":0.' + b"9" * 16_000 + b"}",
    "keys": b"{" + b",".join(b'"%d":0' % n for n in range(1_800)) + b"}",
    "spaces": b" " * 16_000 + b"{}",
    "escapes": b'{"a":"' + b"\\u0000" * 2_700 + b'"}',
}


@pytest.mark.parametrize("body", HEAVY.values(), ids=HEAVY)
def test_a_small_body_costs_little_time_whatever_it_holds(body: bytes) -> None:
    assert len(body) <= 16 * 1024
    began = time.process_time()

    with suppress(InvalidRequest):
        read_object(body)

    assert time.process_time() - began < 0.3
