"""JSON whose numbers are exact: for answers to providers and for what commands print."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from models.money import plain
from models.times import utc


def exact_json(value: object, *, compact: bool = False) -> str:
    """A value as JSON on one line: a Decimal becomes the very number, a time RFC 3339 in UTC.

    Takes what `json.dumps` takes, and tuples. `compact`: as machines want it, without spaces and in
    ASCII. Raises TypeError for everything else.
    """
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return json.dumps(utc(value))
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    comma, colon = (",", ":") if compact else (", ", ": ")
    if isinstance(value, Mapping):
        items = [
            f"{json.dumps(name)}{colon}{exact_json(item, compact=compact)}"
            for name, item in value.items()
        ]
        return f"{{{comma.join(items)}}}"
    if isinstance(value, list | tuple):
        return f"[{comma.join([exact_json(item, compact=compact) for item in value])}]"
    return json.dumps(value, ensure_ascii=compact)
