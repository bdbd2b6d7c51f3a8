"""The sockets of the provider in a box: Python's own HTTP server, so that the kit needs no other.

It is for trials: a thread per request, no TLS, and one request per connection.
"""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from betcore_kit.errors import KitError, told
from betcore_kit.serve.box import Answer, Box, refusal

_BODY_MAX = 64 * 1024
_AT_ONCE = 128
_FINISH_SECONDS = 30.0  # how long the spins that are being played may take at the end
_HEADERS = {
    # No rule about frames: a casino shows the page in a frame of its own.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class BoxServer(ThreadingHTTPServer):
    """Listens at an address from its making on, and answers inside of `serving`."""

    daemon_threads = True
    request_queue_size = _AT_ONCE
    box: Box

    def __init__(self, host: str, port: int) -> None:
        """Port 0 is any free one. Raises KitError if the address cannot be used."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or told(error)
            raise KitError(f"Nothing can be served at {host}:{port}: {why}.") from None
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        shown = f"[{reached}]" if ":" in reached else reached
        #: Where a browser on this machine reaches it.
        self.url = f"http://{shown}:{self.server_address[1]}"

    @contextmanager
    def serving(self, box: Box) -> Iterator[None]:
        """Answer until the block ends. Spins that are being played are played to their end."""
        self.box = box
        thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()
            box.tables.finish(_FINISH_SECONDS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Called by socketserver. Beyond so many at once, the connection is closed."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Called by socketserver, in a thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Called by socketserver. A client may go away in the middle. All else is our fault."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.box.say(f"A request failed: {error!r}.")


class _Handler(BaseHTTPRequestHandler):
    server: BoxServer
    server_version, sys_version = "betcore-kit", ""
    default_request_version = "HTTP/1.0"  # so that every answer has a status line
    timeout = 20  # seconds of silence

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        lengths = self.headers.get_all("Content-Length", ["0"])
        text = lengths[0]
        if "Transfer-Encoding" in self.headers:
            self._send(refusal(411, "The body needs a Content-Length."))
        elif len(lengths) != 1 or not (text.isascii() and text.isdigit()):
            self._send(refusal(400, "The Content-Length is no number."))
        elif len(text) > len(str(_BODY_MAX)) or int(text) > _BODY_MAX:
            self._send(refusal(413, f"The body is longer than {_BODY_MAX} bytes."))
        else:
            body = self.rfile.read(int(text))
            if len(body) == int(text):
                asked = (self.command, self.path, self.headers.items(), body)
                self._send(self.server.box.answer(*asked))

    def send_error(
        self,
        code: int,
        message: str | None = None,
        explain: str | None = None,  # noqa: ARG002  # as the base class
    ) -> None:
        """Called by the base class for what is no request."""
        self._send(refusal(code, message or ""))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
        for name, value in (_HEADERS | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Called by the base class. The box says what matters."""
