"""How an app tells its server to answer the requests that the app never sees.

The server refuses requests that are invalid by RFC 9112, come too late, or find no room. An app may
refuse more, before a request costs anything: see `Front.refuse_early`.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, Protocol

from server.http_head import Head
from server.peer import Peer

PLAIN_TEXT = "text/plain; charset=utf-8"


class Refusal(NamedTuple):
    """Why the server refuses: an HTTP status and a sentence.

    503 and 429 mean that nothing was done, and that the client may repeat the request later. Other
    statuses mean that the request is wrong.
    """

    status: int
    message: str


class Front(Protocol):
    """The answers that are made without calling the app. Each is a whole HTTP response."""

    def refuse_early(self, head: Head, peer: Peer, now: float) -> bytes | None:
        """Return the answer to a request that need not reach the app. None: call the app.

        The server asks once per request, when the body has arrived. `now` is loop time in seconds.
        """

    def refuse(self, refusal: Refusal, head: Head | None) -> bytes:
        """Return the answer to what cannot go to the app. The connection is closed after it.

        `head` is that of the request, if it could be read.
        """


class PlainFront:
    """The front of an app that refuses nothing early. Its answers are plain text."""

    def refuse_early(self, head: Head, peer: Peer, now: float) -> bytes | None:  # noqa: ARG002
        """Refuse nothing."""
        return None

    def refuse(self, refusal: Refusal, head: Head | None) -> bytes:
        """Return the message as plain text."""
        return response(
            refusal.status,
            f"{refusal.message}\n".encode(),
            PLAIN_TEXT,
            keep=False,
            with_body=has_body(head),
        )


def has_body(head: Head | None) -> bool:
    """Return whether the answer to this request has a body: an answer to HEAD has none."""
    return head is None or head.method != "HEAD"


def response(
    status: int,
    body: bytes,
    content_type: str,
    more_headers: Iterable[str] = (),
    *,
    keep: bool,
    with_body: bool = True,
) -> bytes:
    """Return an HTTP/1.1 response as sent. `keep`: the connection may be used again."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        *more_headers,
    ]
    if not keep:
        lines.append("connection: close")
    return "\r\n".join((*lines, "", "")).encode() + (body if with_body else b"")
