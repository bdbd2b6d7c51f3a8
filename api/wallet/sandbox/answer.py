"""A whole answer, before it is sent."""

import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("betcore.sandbox")


class Answer(NamedTuple):
    """Status, headers and body. A status of 0 means that there is no answer."""

    status: int
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""

    @classmethod
    async def of(cls, app: ASGIApp, scope: Scope, receive: Receive) -> Self:
        """What an app or a response answers to a request. Nothing is sent yet."""
        began: dict[str, Any] = {}
        body = b""

        async def take(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                began.update(message)
            else:
                body += message.get("body", b"")

        try:
            await app(scope, receive, take)
        except Exception:
            if not began:
                raise
            _LOG.exception("Exception in the wallet of the sandbox")
        return cls(began["status"], began.get("headers", ()), body)

    def with_body(self, body: bytes) -> Self:
        """The same answer with another body."""
        kept = [one for one in self.headers if one[0] != b"content-length"]
        return self._replace(headers=[*kept, (b"content-length", b"%d" % len(body))], body=body)

    async def send(self, send: Send) -> None:
        """Send it."""
        headers = list(self.headers)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


NONE: Final = Answer(0)
_PAGE: Final = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
#: As a proxy in between answers, when it does not reach us: it has no JSON and no code.
PROXY: Final = Answer(
    502, [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(_PAGE))], _PAGE
)


def redirect(place: str, scope: Scope) -> Answer:
    """The answer that sends a request to the same path at another place, with its method."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    target = place.rstrip("/").encode() + path.partition(b"?")[0] + (b"?" + query if query else b"")
    return Answer(307, [(b"location", target), (b"content-length", b"0")])
