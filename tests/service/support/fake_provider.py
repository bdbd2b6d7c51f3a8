"""A provider's own side of the protocol, on this machine: it answers games and launches."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.service.support.client import ProviderClient

Said = tuple[int, bytes]


@dataclass
class FakeProvider:
    """What it was asked, and how it answers. A test changes `games` and `launch` as it likes."""

    client: ProviderClient
    url: str
    games: bytes = b"[]"
    listing: Callable[[], bytes] | None = None  # answers instead of `games`
    launch: Callable[[dict[str, Any]], Said] = field(
        default=lambda _: (200, b'{"frameUri": "https://play.example.com/"}')
    )
    launches: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # path and body

    def offer(self, *games: dict[str, Any]) -> None:
        """Answer this list of games from now on."""
        self.games = json.dumps(games).encode()

    def answer(self, path: str, headers: Any, body: bytes) -> Said:
        """The answer to one request, whose signature must be good."""
        given = {"timestamp": headers["X-Timestamp"], "nonce": headers["X-Request-Id"]}
        expected = self.client.headers(body, counterparty=headers["X-Counterparty-Id"], **given)
        if headers["X-Sign"] != expected["X-Sign"]:
            return 401, b'{"error": "bad signature"}'
        if path == "/v1/games":
            return 200, self.games if self.listing is None else self.listing()
        self.launches.append((path, json.loads(body)))
        return self.launch(self.launches[-1][1])


@contextmanager
def fake_provider(client: ProviderClient) -> Iterator[FakeProvider]:
    """The provider's side of this client, listening until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            status, said = fake.answer(self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        fake = FakeProvider(client, f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
