"""Signs a request: python sign.py ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin."""

import hashlib
import hmac
import os
import sys


def sign(secret: str, body: bytes, counterparty_id: str, timestamp: str, nonce: str) -> str:
    """`X-Sign` of a request. `body` has the very bytes that are sent; it is empty for a GET."""
    parts = [counterparty_id.encode(), timestamp.encode(), nonce.encode()]
    message = b".".join([body, *parts] if body else parts)
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


if __name__ == "__main__":
    print(sign(os.environ["SECRET"], sys.stdin.buffer.read(), *sys.argv[1:4]))  # noqa: T201
