"""Exact money: reads amounts from JSON, adds them and writes them back. It never rounds."""

import re
from decimal import (
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)

from models.errors import InvalidRequest

#: Wider than `numeric(48, 18)`, so that every legal sum is exact. An inexact result raises.
EXACT = Context(
    prec=60, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero, FloatOperation]
)
#: Every amount on the wire is below this (PROTOCOL.md, "Types").
AMOUNT_LIMIT = Decimal(10) ** 15
#: What `numeric(…, 18)` can hold. No currency has more decimals.
DECIMALS_MAX = 18

ZERO = Decimal(0)
_EXPONENT_MAX = 30  # for an amount that is given as a string; the exponent may have either sign
_DIGITS_MAX = 33  # 15 before the point, 18 behind it
# The quantifiers are possessive (`++`, `*+`), so that the pattern never backtracks. Otherwise 16
# KiB of zeros would take a second.
_USUAL = re.compile(r"[0-9]{1,15}+(?:\.([0-9]{1,18}+))?")  # every such number is below 10^15
#: An amount as a string. Its exponent has a limit too.
AMOUNT_TEXT = re.compile(r"[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?(?=[0-9])0*+([0-9]{0,2}))?")


class JsonNumber(str):
    """The characters of a JSON number, as they arrived. Only named fields are converted."""

    __slots__ = ()


def read_amount(value: object, name: str, decimals_max: int = DECIMALS_MAX) -> Decimal:
    """Read a JSON number (`JsonNumber`) or a decimal string as an exact amount, without rounding.

    The amount is zero or more, below 10^15, and has at most `decimals_max` decimals. Trailing zeros
    do not count. Source: PROTOCOL.md, "Types". Raises InvalidRequest, which names the field.
    """
    if type(value) is str or type(value) is JsonNumber:
        usual = _USUAL.fullmatch(value)
        if usual is not None and len(usual[1] or "") <= decimals_max:
            return Decimal(value) or ZERO
    if type(value) is str:
        match = AMOUNT_TEXT.fullmatch(value)
        if match is None or int(match[1] or 0) > _EXPONENT_MAX:
            raise InvalidRequest(f"{name} must be a decimal number, zero or more.")
    elif type(value) is not JsonNumber or value[0] not in "0123456789":
        raise InvalidRequest(f"{name} must be a number, zero or more.")
    try:
        amount = Decimal(value)
    except InvalidOperation:  # an exponent beyond all limits
        raise InvalidRequest(f"{name} is not a number we can hold.") from None
    if amount >= AMOUNT_LIMIT:
        raise InvalidRequest(f"{name} must be below 10^15.")
    return require_decimals(amount, decimals_max, name)


def require_decimals(amount: Decimal, decimals_max: int, name: str) -> Decimal:
    """The same amount, if it has at most `decimals_max` decimals. Trailing zeros do not count.

    Raises InvalidRequest, which names the field.
    """
    if not amount:
        return ZERO
    if -decimals_max <= int(amount.as_tuple().exponent) <= 0:
        return amount
    # Beyond either limit the amount has too many decimals, and `EXACT` might not be able to hold
    # it.
    near = amount.adjusted() >= -decimals_max and _digits(amount) <= _DIGITS_MAX
    trimmed = EXACT.normalize(amount) if near else None
    if trimmed is None or int(trimmed.as_tuple().exponent) < -decimals_max:
        raise InvalidRequest(f"{name} may have at most {decimals_max} decimals.")
    return trimmed


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum. Raises decimal.Inexact instead of rounding."""
    return EXACT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference. Raises decimal.Inexact instead of rounding."""
    return EXACT.subtract(left, right)


def plain(amount: Decimal) -> str:
    """The amount as a JSON number: no exponent, no trailing zeros, never `-0`."""
    if not amount:
        return "0"
    text = str(amount)  # twice as fast as `format`; the same without an exponent
    if "E" in text:
        text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _digits(amount: Decimal) -> int:
    """How many digits remain without trailing zeros."""
    return len("".join(map(str, amount.as_tuple().digits)).rstrip("0"))
