"""The codes of answers. Source: PROTOCOL.md, "`_responseCode` and HTTP status"."""

from enum import IntEnum


class Code(IntEnum):
    """A `_responseCode`."""

    UNKNOWN = 0  # the outcome is not known
    DONE = 1
    INVALID = 2
    SESSION_CLOSED = 3
    INSUFFICIENT_FUNDS = 4
    NOT_ALLOWED = 5
    BET_NOT_FOUND = 6
    BET_CONFLICT = 7
    UNAUTHORIZED = 8
    TRY_LATER = 99
