"""What `GET /v1/bets` asks: one bet, the bet of a transaction, or a page of the bets of a round."""

import base64
import binascii
import hashlib
import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from models.commands import ROW_ID_MAX, read_text
from models.errors import InvalidRequest

LIMIT: Final = 50
LIMIT_MAX: Final = 100
_DIGITS = re.compile("[0-9]{1,19}")
_ROUND_BYTES = 8  # of a hash of the round, so that a cursor is of one list
_PLACE_BYTES = 8


class RoundPage(NamedTuple):
    """A page of the bets of a round: those after a place, which `next_cursor` wrote."""

    round_id: str
    after: tuple[int, int]
    limit: int


#: A betId, the id of a transfer, or a page of a round.
BetQuery = str | int | RoundPage


def read_query(query_string: bytes) -> BetQuery:
    """Read a query, which must have exactly one of `betId`, `transactionId` and `gameRoundId`.

    Raises InvalidRequest. Other parameters are ignored.
    """
    try:
        query = query_string.decode("ascii")
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise InvalidRequest("The query cannot be read.") from None
    asked = [pair for pair in pairs if pair[0] in ("betId", "transactionId", "gameRoundId")]
    if len(asked) != 1:
        raise InvalidRequest("The query must have one of betId, transactionId and gameRoundId.")
    [(name, value)] = asked
    if name == "betId":
        return read_text(value, name)
    if name == "transactionId":
        return _number(value, name, ROW_ID_MAX)
    round_id, limit, cursor = read_text(value, name), _once(pairs, "limit"), _once(pairs, "cursor")
    return RoundPage(
        round_id,
        (0, 0) if cursor is None else _place(round_id, cursor),
        LIMIT if limit is None else _number(limit, "limit", LIMIT_MAX),
    )


def next_cursor(round_id: str, place: tuple[int, int]) -> str:
    """Where the next page of a round begins. It is no secret, so it is not signed.

    Whoever makes one up gets a page of the same list.
    """
    said = b"".join([number.to_bytes(_PLACE_BYTES) for number in place])
    return base64.urlsafe_b64encode(_hash(round_id) + said).decode()


def _place(round_id: str, cursor: str) -> tuple[int, int]:
    try:
        said = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        said = b""
    of_round, place = said[:_ROUND_BYTES], said[_ROUND_BYTES:]
    numbers = [int.from_bytes(place[:_PLACE_BYTES]), int.from_bytes(place[_PLACE_BYTES:])]
    if (
        len(place) != 2 * _PLACE_BYTES
        or of_round != _hash(round_id)
        or max(numbers) > ROW_ID_MAX
        or base64.urlsafe_b64encode(said).decode() != cursor
    ):
        raise InvalidRequest("cursor must be the `next` of a page of this round.")
    return numbers[0], numbers[1]


def _hash(round_id: str) -> bytes:
    return hashlib.sha256(round_id.encode()).digest()[:_ROUND_BYTES]


def _once(pairs: list[tuple[str, str]], name: str) -> str | None:
    values = [value for known, value in pairs if known == name]
    if len(values) > 1:
        raise InvalidRequest(f"The query may have {name} only once.")
    return values[0] if values else None


def _number(text: str, name: str, most: int) -> int:
    """A whole number from 1 on. Raises InvalidRequest."""
    number = int(text) if _DIGITS.fullmatch(text) else 0
    if not 0 < number <= most:
        raise InvalidRequest(f"{name} must be a whole number from 1 to {most}.")
    return number
