"""A transport that sends in one piece what one turn of the event loop has written."""

import asyncio
from collections.abc import Callable
from typing import Any


class CorkedTransport:
    """Stands for `transport`, with its methods. It differs in when it sends, and in how it closes.

    Uvicorn writes an answer's head and body separately: two system calls, two packets, and two
    wake-ups of the client. That is a tenth of what an answer costs us.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        on_close: Callable[[], bool],
    ) -> None:
        """`on_close` is called when the transport is closed. It returns whether to linger.

        A transport that lingers has sent its end, and reads on until `close_now`. If a system
        closes a connection with unread bytes, it takes back unread answers from the client.
        """
        self._transport = transport
        self._loop = loop
        self._on_close = on_close
        self._unsent: list[bytes] = []
        self._lingers = False

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this turn of the loop, after earlier writes."""
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(data)

    def close(self) -> None:
        """Send what is left, and end: immediately, or after lingering."""
        if self.is_closing():
            return
        self._send()
        if self._on_close():
            self._lingers = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def close_now(self) -> None:
        """Send what is left, and close when it is sent."""
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether it sends no more answers."""
        return self._lingers or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._unsent:
            data = b"".join(self._unsent)
            self._unsent.clear()
            if not self._lingers:
                self._transport.write(data)
