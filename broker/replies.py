"""The results that workers send to one process: a stream of its own, read for as long as it lives.

After a reconnect it is read again from its start: a result nobody waits for any more is ignored.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from uuid import uuid4

from broker.admission import Result
from broker.keys import reply_stream
from broker.wire import Wire, connect, patience_seconds
from logs.warning_throttle import WarningThrottle
from settings import Settings

_LOG = logging.getLogger("betcore.replies")
_LOG.addFilter(WarningThrottle())
_RECONNECT_AFTER_SECONDS = 0.1

#: Called with the token of an admission and its result; None: its job failed.
Deliver = Callable[[str, Result | None], None]


class Replies:
    """Reads the stream named `stream`; `listening` says whether it is connected."""

    def __init__(self, settings: Settings, deliver: Deliver) -> None:
        self._settings = settings
        self._deliver = deliver
        self._patience_seconds = patience_seconds(settings)
        self.stream = reply_stream(uuid4().hex)
        self.listening = False
        self._wire: Wire | None = None
        self._answer_by = 0.0  # monotonic time

    async def keep_listening(self) -> None:
        """Read until cancelled; whatever the trouble, it tries again."""
        within = self._settings.redis_connect_within_seconds
        while True:
            try:
                wire = await connect(self._settings.redis_url, within)
                self.listening = True
                await self._listen(wire)
            except Exception as error:
                _LOG.warning("replies are interrupted: %s", error)
            finally:
                self.listening = False
                if self._wire is not None:
                    self._wire.abort()
                    self._wire = None
            await asyncio.sleep(_RECONNECT_AFTER_SECONDS)

    async def _listen(self, wire: Wire) -> None:
        self._wire = wire
        block_seconds = self._settings.reply_block_seconds
        read = ("XREAD", "COUNT", 100, "BLOCK", int(block_seconds * 1000), "STREAMS", self.stream)
        last: bytes | str = "0-0"
        while True:
            self._answer_by = time.monotonic() + block_seconds + self._patience_seconds
            answer = await wire.call(*read, last)
            for message_id, fields in answer[0][1] if answer else ():
                last = message_id
                self._read(fields[1])

    def drop_if_late(self) -> None:
        """Drop the connection if Redis should have answered. Call it again and again."""
        if self._wire is not None and self._answer_by < time.monotonic():
            self._wire.abort()

    def _read(self, message: bytes) -> None:
        try:
            results = [(str(token), result) for token, result in json.loads(message)]
        except (
            ValueError,
            TypeError,
            RecursionError,
        ) as error:  # read again at each reconnect: never the end
            _LOG.error("a message on the reply stream cannot be read: %s", error)
            return
        for token, result in results:
            self._deliver(token, result)
