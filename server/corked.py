"""A transport that sends what one turn of the event loop has written in one piece."""

import asyncio
from collections.abc import Callable
from typing import Any


class CorkedTransport:
    """Stands for `transport`, with its methods; only when it sends and how it closes differ.

    Uvicorn writes an answer's head and its body apart: two calls of the system, two packets, and
    two wake-ups of the client, which are a tenth of what an answer costs us.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        on_close: Callable[[], bool],
    ) -> None:
        """`on_close` is called when it is closed; it answers whether to linger.

        A transport that lingers has said that it ends, and reads on until `close_now`. A system
        that closes while something is unread takes back what was sent and is not read yet: the
        client would lose its last answers.
        """
        self._transport = transport
        self._loop = loop
        self._on_close = on_close
        self._unsent: list[bytes] = []
        self._lingers = False

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this turn of the loop, after what was written before it."""
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(data)

    def close(self) -> None:
        """Send what is left, and end: at once, or when it has lingered."""
        if self.is_closing():
            return
        self._send()
        if self._on_close():
            self._lingers = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def close_now(self) -> None:
        """Send what is left, and close once it is sent."""
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether nothing more is answered on it."""
        return self._lingers or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._unsent:
            data = b"".join(self._unsent)
            self._unsent.clear()
            if not self._lingers:
                self._transport.write(data)
