"""Checks the requests that an aggregator sends to a provider: it signs them by the same rule."""

import hmac
import re
import threading
import time
from collections.abc import Iterable

from betcore_kit.signing import HEADERS, Identity, message, signature

AGE_MAX_MS = 30_000
_KEPT_MAX = 1_000  # nonces, before those that are over are forgotten
_TIMESTAMP, _NONCE = re.compile("[0-9]{1,16}"), re.compile("[0-9a-fA-F]{32}")


class Verifier:
    """Checks the requests to one provider. Several threads may share one."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._used: dict[str, int] = {}  # until when a nonce is remembered, in Unix milliseconds
        self._lock = threading.Lock()

    def why_not(self, headers: Iterable[tuple[str, str]], body: bytes) -> str | None:
        """Return why a request must get 401, in one sentence; None: it is good, once.

        The sentence is for the provider's own log. The caller is not told.
        """
        given: dict[str, list[str]] = {name.lower(): [] for name in HEADERS}
        for name, value in headers:
            given.get(name.lower(), []).append(value)
        if any(len(values) != 1 for values in given.values()):
            return f"It must have each of these headers once: {', '.join(HEADERS)}."
        counterparty, timestamp, nonce, sign = (values[0] for values in given.values())
        if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
            return "X-Timestamp is not in milliseconds, or X-Request-Id is no nonce."
        now = time.time_ns() // 1_000_000
        if abs(now - int(timestamp)) > AGE_MAX_MS:
            return "X-Timestamp is more than 30 s away from this machine's clock."
        if counterparty != self._identity.counterparty_id:
            return "X-Counterparty-Id is that of another provider."
        expected = signature(self._identity.secret, message(body, counterparty, timestamp, nonce))
        if not hmac.compare_digest(expected.encode(), sign.encode()):
            return "The signature is not the one that this secret makes."
        return None if self._is_new(nonce.lower(), now) else "X-Request-Id was used before."

    def _is_new(self, nonce: str, now: int) -> bool:
        with self._lock:
            if len(self._used) > _KEPT_MAX:
                self._used = {one: until for one, until in self._used.items() if until > now}
            is_new = nonce not in self._used
            self._used[nonce] = now + 2 * AGE_MAX_MS
            return is_new
