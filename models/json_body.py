"""The JSON in a body, read without touching a number."""

import json
import re

from models.errors import InvalidRequest
from models.money import JsonNumber

_LEVELS_MAX = 16
# An unterminated string takes all that is left, and nothing is tried twice (`++`, `*+`). With
# backtracking, 16 KiB of quotes would keep the gateway busy for half a second.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class _Ambiguous(dict[str, object]):
    """An object that names a key twice."""


def read_object(body: bytes) -> dict[str, object]:
    """Read a body as a JSON object (PROTOCOL.md, "Types"). Its numbers keep their characters.

    Raises InvalidRequest for a body that is not UTF-8, not JSON, not an object, nested more than 16
    levels, or names a key twice. Unknown fields may hold anything.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.") from None
    if text.count("{") + text.count("[") > _LEVELS_MAX and _levels(text) > _LEVELS_MAX:
        raise InvalidRequest(f"The body is nested more than {_LEVELS_MAX} levels deep.")
    try:
        value = _DECODE(text)
    except ValueError:
        raise InvalidRequest("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body is not a JSON object.")
    if isinstance(value, _Ambiguous):
        raise InvalidRequest("The body names a key twice.")
    return value


def read_json(body: bytes) -> object:
    """Read any JSON, such as what a provider answers. Its numbers keep their characters.

    An object in it that names a key twice is read as text, which no caller takes for an object.
    Raises InvalidRequest for a body that is not UTF-8, not JSON, or nested too deep to be read.
    """
    try:
        return _DECODE_ANY(body.decode())
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not JSON.") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    return read if len(read) == len(pairs) else _Ambiguous(read)


#: Numbers are not converted before a rule asks for them. A float would not be exact, and a huge
#: integer in an unknown field must not matter. `NaN` and the like are not numbers to us.
_DECODE = json.JSONDecoder(
    parse_float=JsonNumber,
    parse_int=JsonNumber,
    parse_constant=lambda name: [name],
    object_pairs_hook=_object,
).decode


_DECODE_ANY = json.JSONDecoder(
    parse_float=JsonNumber,
    parse_int=JsonNumber,
    parse_constant=lambda name: [name],
    object_pairs_hook=lambda pairs: _unambiguous(_object(pairs)),
).decode


def _unambiguous(read: dict[str, object]) -> object:
    return "an object that names a key twice" if isinstance(read, _Ambiguous) else read


def _levels(text: str) -> int:
    """Return how deep brackets are nested, not counting those inside strings."""
    level = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        character = match[0]
        if character in "{[":
            level += 1
            deepest = max(deepest, level)
        elif character in "}]":
            level -= 1
    return deepest
