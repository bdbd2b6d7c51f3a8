"""The signature of a request (PROTOCOL.md, "Every request"), for requests that we send."""

import hmac
import secrets
import time


def signed_headers(secret: str, counterparty_id: str, body: bytes = b"") -> dict[str, str]:
    """The four headers of a request with this body, stamped and signed now."""
    stamp, nonce = str(time.time_ns() // 1_000_000), secrets.token_hex(16)
    return {
        "X-Counterparty-Id": counterparty_id,
        "X-Timestamp": stamp,
        "X-Request-Id": nonce,
        "X-Sign": sign(secret, counterparty_id, stamp, nonce, body),
    }


def sign(secret: str, counterparty_id: str, stamp: str, nonce: str, body: bytes = b"") -> str:
    """`X-Sign`: the HMAC-SHA256 of body (if there is one), provider, timestamp and nonce."""
    parts = [counterparty_id.encode(), stamp.encode(), nonce.encode()]
    message = b".".join([body, *parts] if body else parts)
    return hmac.digest(secret.encode(), message, "sha256").hex()
