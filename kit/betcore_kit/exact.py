"""JSON with exact numbers: `Decimal` in and out, and never a binary float."""

import json
from decimal import Decimal
from typing import Any

from betcore_kit.errors import KitError


def read_json(text: bytes | str) -> Any:
    """Return what the JSON says, every number as a `Decimal`. Raises ValueError if it is none."""
    try:
        return json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("The JSON has too many levels.") from None


def write_json(fields: dict[str, object]) -> bytes:
    """Return compact JSON. A `Decimal` becomes a string of plain digits, as the protocol accepts.

    Raises KitError for a float: it cannot hold most amounts.
    """
    return json.dumps(_plain(fields), separators=(",", ":"), ensure_ascii=False).encode()


def amount(value: object) -> Decimal:
    """Return an amount exactly. Raises KitError for a float, or for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise KitError(f"An amount must be a Decimal, an int or a string, not {value!r}.")
    try:
        found = Decimal(value)
    except ArithmeticError:
        found = Decimal("NaN")
    if not found.is_finite():
        raise KitError(f"{value!r} is not an amount.")
    return found


def plain(value: Decimal) -> str:
    """Return the digits of an amount without an exponent."""
    return format(value, "f")


def _plain(value: object) -> object:
    if isinstance(value, float):
        raise KitError(f"{value!r} is a binary float: use Decimal, int or a string for amounts.")
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")
