"""The same JSON as common libraries write it: spaces, order of keys, escapes, numbers."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_PERMUTED_KEYS_MAX = 5
_NUMBER = re.compile(r'"\\u0000([^"\\]+)\\u0000"')


def written_anew(body: bytes) -> Iterator[bytes]:
    """Yield each way in which the JSON of a body may be written. Nothing if it is no JSON."""
    try:
        value = json.loads(body, parse_float=_marked, parse_int=_marked)
    except (ValueError, RecursionError):
        return
    seen = {body}
    for text in _texts(value):
        for slashes in (text, text.replace("/", "\\/")):
            made = slashes.encode("utf-8", "surrogatepass")
            if made not in seen:
                seen.add(made)
                yield made


def _texts(value: Any) -> Iterator[str]:
    layouts: list[dict[str, Any]] = [
        {"separators": (",", ":")},
        {"separators": (", ", ": ")},
        *({"indent": indent, "separators": (",", ": ")} for indent in (2, 4, "\t")),
    ]
    for layout, number in itertools.product(layouts, (_same, _as_python, _as_javascript)):
        for in_order, ascii_only in itertools.product((False, True), repeat=2):
            yield _dumps(value, number, sort_keys=in_order, ensure_ascii=ascii_only, **layout)
    if isinstance(value, dict) and len(value) <= _PERMUTED_KEYS_MAX:
        for layout, items in itertools.product(layouts[:2], itertools.permutations(value.items())):
            yield _dumps(dict(items), _same, ensure_ascii=False, **layout)


def _dumps(value: Any, number: Callable[[str], str], **style: Any) -> str:
    return _NUMBER.sub(lambda found: number(found[1]), json.dumps(value, **style))


def _marked(text: str) -> str:
    """A string in the number's place, so that the number can be written in any style."""
    return f"\0{text}\0"


def _same(text: str) -> str:
    return text


def _as_python(text: str) -> str:
    return text if re.fullmatch(r"-?\d+", text) else repr(float(text))


def _as_javascript(text: str) -> str:
    return _as_python(text).removesuffix(".0")
