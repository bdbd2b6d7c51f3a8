"""How an idle worker gets a group at once, from the script that admits it (docs/adr/0026).

The worker leaves an offer in Redis and listens. `admit.lua` accepts the offer: it starts the group
under a lease, and sends it as a message. So a bet that comes alone costs one round trip less.
"""

import os
import time
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from broker.keys import OURS
from broker.taken import Batch, read_batch
from models.deadline import Deadline

if TYPE_CHECKING:
    from redis import Redis

#: What is on its way arrives within this. If it does not, its lease runs out and the sweep helps.
_ARRIVES_WITHIN_SECONDS: Final = 1.0
#: A connection on which nothing is sent for minutes is cut by some networks.
_SILENT_SECONDS: Final = 30.0
_LINES: Final = 5  # of a message: batch, job, accounts, times, data


class Offers:
    """The offers of one worker, of which at most one is open, and what comes in answer to them.

    A message may wait unread while the process is paused. So its lease and its deadlines count from
    the moment when the offer was left, by the clock of Redis then and by ours. If the clock of
    Redis was set meanwhile, the command counts as admitted at that moment, so it ends early.

    Every method raises redis.exceptions.RedisError when Redis cannot be reached or refuses.
    """

    def __init__(self, client: "Redis", queue: str, worker: str, lease_ms: int, ttl: int) -> None:
        """`ttl`: how long RQ's registry shows a batch, in seconds."""
        self.key = f"{OURS}:idle:{queue}"
        self._pool = client.connection_pool
        self._terms = f"{lease_ms} {ttl} {worker}"
        self._connection: Any = None
        self._channel = ""
        self._batch = ""
        self._left: tuple[Deadline, int] | None = None
        self._heard_at = self._asked_at = 0.0  # time.monotonic()

    def new(self) -> str:
        """An offer for a script to leave."""
        if self._connection is None:
            self._listen()
        self._batch = os.urandom(16).hex()
        self._left = None
        return self._text

    def left(self, sent_at: Deadline, now_ms: int) -> None:
        """Note that a script, sent at `sent_at`, has left the new offer at `now_ms` of Redis."""
        self._left = (sent_at, now_ms)

    @property
    def open(self) -> str:
        """The offer that may be accepted at any time, or ''."""
        return self._text if self._left else ""

    @property
    def listening(self) -> bool:
        """Whether a new offer needs no new connection."""
        return self._connection is not None

    def close(self) -> None:
        """Note that the offer is no longer in Redis."""
        self._left = None

    def reset(self) -> None:
        """Stop listening, so that nobody can accept an offer which may still be in Redis."""
        self._left = None
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def receive(self, seconds: float) -> Batch | None:
        """The batch that somebody made of the open offer; None if there is none in time."""
        if self._left is None:
            return None
        until = Deadline.within(seconds)
        self._keep_alive()
        while self._connection.can_read(timeout=until.seconds_left()):
            kind, _, text = self._connection.read_response(push_request=True)
            self._heard_at = time.monotonic()
            batch = self._batch_of(text, *self._left) if kind == b"message" else None
            if batch is not None:
                self._left = None
                return batch
        return None

    def accepted(self) -> Batch | None:
        """The batch of an offer that is no longer in Redis, because somebody has accepted it.

        If none comes, this connection may be one to another server: the next offer has a new one.
        """
        batch = self.receive(_ARRIVES_WITHIN_SECONDS)
        if batch is None:
            self.reset()
        return batch

    def _batch_of(self, message: bytes, sent_at: Deadline, now_ms: int) -> Batch | None:
        batch, *job = message.split(b"\n", _LINES - 1)
        if batch != self._batch.encode() or len(job) != _LINES - 1:
            return None  # planted
        id_, accounts, times, data = job
        row = (id_, data, accounts, times, b"")
        try:
            admitted_ms = int(times.partition(b"+")[0])
            passed_ms = (Deadline.within(0).at - sent_at.at) * 1000
            if not 0 <= admitted_ms - now_ms <= passed_ms:
                now_ms = admitted_ms  # the clock was set
            return read_batch(self._batch, time.time(), sent_at, (now_ms, [row]))
        except ValueError:
            return None  # planted

    def _keep_alive(self) -> None:
        """Subscribe again after a silence. Redis answers, and changes nothing."""
        now = time.monotonic()
        if now - max(self._heard_at, self._asked_at) > _SILENT_SECONDS:
            if self._asked_at > self._heard_at:
                raise RedisConnectionError("Redis does not answer on the connection of an offer")
            self._asked_at = now
            self._connection.send_command("SUBSCRIBE", self._channel, check_health=False)

    @property
    def _text(self) -> str:
        return f"{self._channel} {self._batch} {self._terms}"

    def _listen(self) -> None:
        # A new name: offers of an earlier connection reach nobody.
        self._channel = f"{OURS}:handed:{os.urandom(16).hex()}"
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            connection.send_command("SUBSCRIBE", self._channel, check_health=False)
            connection.read_response(push_request=True)
        except RedisError:
            connection.disconnect()
            raise
        self._connection = connection
        self._heard_at = time.monotonic()
