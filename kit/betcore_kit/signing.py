"""How a request is signed: HMAC-SHA256 over body, identity, time and nonce (PROTOCOL.md)."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from betcore_kit.errors import KitError

COUNTERPARTY = "X-Counterparty-Id"
TIMESTAMP = "X-Timestamp"
NONCE = "X-Request-Id"
SIGN = "X-Sign"
#: The four headers, in the order of the signed message. The last one has the signature.
HEADERS = (COUNTERPARTY, TIMESTAMP, NONCE, SIGN)

_COUNTERPARTY_ID = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True)
class Identity:
    """Who calls: the provider's id and its secret, both as the operator gave them.

    Raises KitError if the id is not 1 to 64 printable ASCII characters, or the secret is empty.
    """

    counterparty_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _COUNTERPARTY_ID.fullmatch(self.counterparty_id):
            raise KitError("The counterparty id must be 1 to 64 printable ASCII characters.")
        if not self.secret:
            raise KitError("The secret is empty: use the characters that the operator gave you.")


def message(body: bytes, counterparty_id: str, timestamp: str, nonce: str) -> bytes:
    """Return the signed message: the body, if there is one, and three headers, joined by dots."""
    parts = [part.encode() for part in (counterparty_id, timestamp, nonce)]
    return b".".join([body, *parts] if body else parts)


def signature(secret: str | bytes, signed: bytes) -> str:
    """Return the lower-case hex of HMAC-SHA256. The key is the secret's characters as given."""
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


def signed_headers(
    identity: Identity, body: bytes, timestamp: str | None = None, nonce: str | None = None
) -> dict[str, str]:
    """Return the four headers of a body, stamped now with a new nonce unless these are given."""
    stamp, once = timestamp or now_ms(), nonce or new_nonce()
    signed = message(body, identity.counterparty_id, stamp, once)
    values = (identity.counterparty_id, stamp, once, signature(identity.secret, signed))
    return dict(zip(HEADERS, values, strict=True))


def now_ms() -> str:
    """Return the present Unix time in milliseconds, as `X-Timestamp` has it."""
    return str(time.time_ns() // 1_000_000)


def new_nonce() -> str:
    """Return 32 random hexadecimal digits."""
    return secrets.token_hex(16)


def decodings(secret: str) -> Iterator[bytes]:
    """Yield what a secret is in base64 and in hex. To use it as the key is a mistake."""
    digits = secret.rstrip("=")
    padded = digits + "=" * (-len(digits) % 4)
    for decode, text in (
        (base64.b64decode, padded),
        (base64.urlsafe_b64decode, padded),
        (bytes.fromhex, secret),
    ):
        try:
            yield decode(text)
        except ValueError:
            continue
