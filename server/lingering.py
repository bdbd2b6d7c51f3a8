"""A transport that ends a connection so that the client gets its last answer."""

import asyncio
from collections.abc import Callable
from typing import Any


class LingeringTransport:
    """Stands for `transport`, with its methods. It differs in how it closes.

    If a system closes a connection with unread bytes, it takes back unread answers from the
    client. So a transport may linger: it has sent its end, and reads on until `close_now`.
    """

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], bool]) -> None:
        """`on_close` is called when the transport is closed. It returns whether to linger."""
        self._transport = transport
        self._on_close = on_close
        self._lingers = False

    def write(self, data: bytes) -> None:
        """Send `data`, unless it was closed."""
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what is left, and end: immediately, or after lingering."""
        if self.is_closing():
            return
        if self._on_close():
            self._lingers = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def close_now(self) -> None:
        """Send what is left, and close when it is sent."""
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether it sends no more answers."""
        return self._lingers or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
