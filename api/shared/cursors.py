"""Cursors: where the next page of a list begins, as text that nobody can make or change."""

import base64
import binascii
import hmac
import json
from datetime import datetime

from models.errors import InvalidRequest
from models.keys import Key
from models.reports.paging import Position
from models.times import utc

_MAC_BYTES = 16
_TEXT_MAX = 2_000
_TIME = "time"


class Cursors:
    """Writes cursors and reads them back. A cursor belongs to one list with one filter."""

    def __init__(self, key: Key) -> None:
        self._secret = key.derive("cursors 1")

    def write(self, of: str, position: Position) -> str:
        """The cursor for a position in the list that `of` names."""
        values = {name: _plain(value) for name, value in position.items()}
        said = json.dumps(values, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(of, said) + said).decode().rstrip("=")

    def read(self, of: str, cursor: str) -> Position:
        """The position. Raises InvalidRequest for anything but a cursor of this very list."""
        try:
            if len(cursor) > _TEXT_MAX:
                raise ValueError
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, said = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(of, said)):
            raise InvalidRequest("cursor must be the `next` of a page of this list and filter.")
        values: dict[str, object] = json.loads(said)
        return {name: _value(value) for name, value in values.items()}

    def _mac(self, of: str, said: bytes) -> bytes:
        return hmac.digest(self._secret, of.encode() + b"\0" + said, "sha256")[:_MAC_BYTES]


def _plain(value: object) -> object:
    return {_TIME: utc(value)} if isinstance(value, datetime) else value


def _value(value: object) -> object:
    return datetime.fromisoformat(value[_TIME]) if isinstance(value, dict) else value
