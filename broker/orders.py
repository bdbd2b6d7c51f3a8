"""Orders of operators: jobs that move cash carry an HMAC by a key that gateways do not have.

Anyone who may write to Redis can put any job on the queue, or run an old one again. So an order is
bound to its whole content, to its job and to its reply stream, and it lasts only for seconds.
Within these, the ledger decides it once. What the ledger booked, it does not book again. What it
refused, it refuses again, however much money there is by then.
"""

import hmac
import json
from dataclasses import replace

from broker.codec import Order, Work
from broker.keys import token_of
from models.commands import CashCommand
from models.errors import BetcoreError
from models.keys import Key, KeyRing, Purpose
from settings import Settings

_LABEL = "cash orders 1"


class BadOrder(BetcoreError):  # noqa: N818
    """The job is no order of an operator, or its order has ended."""


class Orders:
    """Signs orders with the current key, and checks them with every key of the ring."""

    def __init__(self, ring: KeyRing, settings: Settings) -> None:
        self._key = ring.current
        self._secrets = {id_: _secret(key) for id_, key in ring.by_id.items()}
        self._queue = settings.queue_name
        self._lasts_ms = settings.apply_within_seconds * 1000
        self._clocks_apart_ms = settings.timestamp_tolerance_seconds * 1000

    def sign(self, command: CashCommand, id_: str, reply_to: str, now: float) -> Order:
        """Sign a command as one job, whose result goes to `reply_to`. `now` is Unix time."""
        expires_ms = int(now * 1000 + self._lasts_ms)
        form = self._form(command, id_, reply_to, expires_ms)
        return Order(expires_ms, self._key.id, _hmac(self._secrets[self._key.id], form))

    def checked(self, id_: str, work: Work, now: float) -> CashCommand:
        """The command of a job, named by its order, if an operator gave it. `now` is Unix time.

        Raises BadOrder with a reason that an operator can act on.
        """
        command, order = work.command, work.order
        if not isinstance(command, CashCommand) or order is None:
            raise BadOrder("It is not signed with the operator key.")
        secret = self._secrets.get(order.key)
        if secret is None:
            raise BadOrder(
                f"It is signed with the key {order.key!r:.40}, which the worker does not have:"
                f" {Purpose.OPERATOR.variable} must be the same for workers and commands."
            )
        given = order.hmac.encode(errors="replace")  # a planted one may contain lone surrogates
        form = self._form(command, id_, work.reply_to, order.expires_ms)
        if not hmac.compare_digest(given, _hmac(secret, form).encode()):
            raise BadOrder("Its signature is not for this job, which somebody changed or copied.")
        self._require_now(order.expires_ms - now * 1000)
        return replace(command, order_id=token_of(id_))

    def seconds_left(self, order: Order, now: float) -> float:
        """How many seconds a checked order may still run. `now` is Unix time."""
        return (order.expires_ms + self._clocks_apart_ms) / 1000 - now

    def _require_now(self, left_ms: float) -> None:
        """Raises BadOrder unless the order is recent, by clocks that may differ a little."""
        apart = self._clocks_apart_ms
        if left_ms < -apart:
            raise BadOrder(
                f"Its time ended {-left_ms / 1000:.0f} s ago: the order is old, or the clocks of"
                " this worker and of the operator's command differ."
            )
        if left_ms > self._lasts_ms + apart:
            raise BadOrder(
                f"It lasts for another {left_ms / 1000:.0f} s, which is too long: the clocks, or"
                " BETCORE_APPLY_WITHIN_SECONDS, of worker and operator's command differ."
            )

    def _form(self, command: CashCommand, id_: str, reply_to: str, expires_ms: int) -> bytes:
        """The whole content of an order, in one canonical form."""
        said = [self._queue, command.function, command.to_job(), id_, reply_to, expires_ms]
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _secret(key: Key) -> bytes:
    return key.derive(_LABEL)


def _hmac(secret: bytes, form: bytes) -> str:
    return hmac.digest(secret, form, "sha256").hex()
