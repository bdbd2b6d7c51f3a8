"""What an app tells the server that runs it: how to answer requests that the app never sees.

The server refuses what is no request by RFC 9112, what comes too late, and what finds no room. An
app may refuse more, before a request costs anything: see `Front.refuse_early`.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, Protocol

from server.http_head import Head
from server.peer import Peer

PLAIN_TEXT = "text/plain; charset=utf-8"


class Refusal(NamedTuple):
    """Why the server refuses: an HTTP status and a sentence.

    503 and 429 say that nothing was done, and that the same may be asked later. Others say that
    what was sent is wrong.
    """

    status: int
    message: str


class Front(Protocol):
    """The answers of one app that are made without it, each a whole HTTP response."""

    def refuse_early(self, head: Head, peer: Peer, now: float) -> bytes | None:
        """The answer to a request that need not reach the app; None: call the app.

        Asked once per request, when its body has arrived. `now` is the loop's time in seconds.
        """

    def refuse(self, refusal: Refusal, head: Head | None) -> bytes:
        """The answer to what cannot be handed to the app; the connection is closed after it.

        `head`: that of the request, where it could be read.
        """


class PlainFront:
    """The front of an app that refuses nothing early; its answers are plain text."""

    def refuse_early(self, head: Head, peer: Peer, now: float) -> bytes | None:  # noqa: ARG002
        """Refuse nothing."""
        return None

    def refuse(self, refusal: Refusal, head: Head | None) -> bytes:
        """The message."""
        return response(
            refusal.status,
            f"{refusal.message}\n".encode(),
            PLAIN_TEXT,
            keep=False,
            with_body=has_body(head),
        )


def has_body(head: Head | None) -> bool:
    """Whether the answer to this request has a body: to HEAD it has none."""
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
    """An HTTP/1.1 response as it is sent; `keep`: the connection may be used again."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        *more_headers,
    ]
    if not keep:
        lines.append("connection: close")
    return "\r\n".join((*lines, "", "")).encode() + (body if with_body else b"")
