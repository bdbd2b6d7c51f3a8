"""Reads a raw HTTP request as it was sent, or as a log shows it."""

from dataclasses import dataclass

from betcore_kit.errors import KitError
from betcore_kit.signing import HEADERS


@dataclass(frozen=True)
class RawRequest:
    """The four headers and the exact body. `headers` has each value that a header was given."""

    line: str
    headers: dict[str, list[str]]
    body: bytes

    def value(self, name: str) -> str:
        """Return the value of a header. "" if it is missing."""
        return (self.headers.get(name) or [""])[0]


def read_request(raw: bytes) -> RawRequest:
    """Read a request: a request line, headers, an empty line and the body.

    Lines of the head may end with LF alone, as an editor leaves them. A body longer than its
    Content-Length is cut there. Raises KitError if it is no request.
    """
    raw = raw.lstrip(b"\r\n")
    ends = [(raw.find(mark), mark) for mark in (b"\r\n\r\n", b"\n\n") if mark in raw]
    at, mark = min(ends, default=(len(raw), b""))
    lines = raw[:at].decode("latin-1").splitlines()
    body = raw[at + len(mark) :]
    if not lines or len(lines[0].split()) not in (2, 3):
        raise KitError(
            "This is no HTTP request: it begins with a line such as POST /v1/sessions/S/bets/pay-in"
            " HTTP/1.1, then come the headers, an empty line and the body."
        )
    headers: dict[str, list[str]] = {name: [] for name in HEADERS}
    names = {name.lower(): name for name in HEADERS}
    length = None
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise KitError(f"This line of the head is no header: {line!r}.")
        lower = name.strip().lower()
        if lower in names:
            headers[names[lower]].append(value.strip(" \t"))
        if lower == "content-length" and value.strip().isdigit():
            length = int(value.strip())
    if length is not None and length < len(body):
        body = body[:length]
    return RawRequest(lines[0], headers, body)
