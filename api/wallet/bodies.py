"""A body's bytes as a JSON object, by the rules of PROTOCOL.md, "Types"."""

import json
import re

from models.errors import InvalidRequest
from models.money import JsonNumber

_LEVELS_MAX = 16
# A string that does not end takes all that is left, and nothing is tried twice (`++`, `*+`): with
# backtracking, 16 KiB of quotes would keep the gateway busy for half a second.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class _Ambiguous(dict[str, object]):
    """An object in which a key was given twice."""


def read_object(body: bytes) -> dict[str, object]:
    """Read a JSON object; its numbers stay the characters they were (`JsonNumber`).

    Refused are: what is not UTF-8, not JSON, not an object, nested more than 16 levels, or names a
    key twice. Unknown fields may hold anything. Raises InvalidRequest.
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


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    return read if len(read) == len(pairs) else _Ambiguous(read)


#: Numbers are not converted before a rule asks for them: a float would not be exact, and a huge
#: integer in a field nobody reads is nobody's business. `NaN` and its like are no numbers to us.
_DECODE = json.JSONDecoder(
    parse_float=JsonNumber,
    parse_int=JsonNumber,
    parse_constant=lambda name: [name],
    object_pairs_hook=_object,
).decode


def _levels(text: str) -> int:
    """How deep brackets are nested, leaving out those inside strings."""
    level = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        character = match[0]
        if character in "{[":
            level += 1
            deepest = max(deepest, level)
        elif character in "}]":
            level -= 1
    return deepest
