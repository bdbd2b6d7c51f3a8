"""The head of a request, read strictly by RFC 9110 and 9112.

Any deviation is refused: a proxy before us might read it in another way than we do. The table in
docs/adr/0014 says what is refused, and with which status.
"""

import re
from typing import Final

Fields = list[tuple[bytes, bytes]]

#: Digits of a Content-Length without leading zeros. A longer number is longer than any body.
_LENGTH_DIGITS_MAX: Final = 18

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_ORIGIN_FORM = re.compile(
    rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*+(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~!$&'()*+,;=:@/]*+)*+"
    rb"(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*+(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*+)*+)?"
)
_HOST_FORM = (
    rb"(?:\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\]"
    rb"|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*+)(?::[0-9]*+)?"
)
_HOST = re.compile(_HOST_FORM)
_ABSOLUTE_FORM = re.compile(rb"https?://(" + _HOST_FORM + rb")(/[^?]*+|)(\?.*+|)", re.IGNORECASE)
_AUTHORITY_FORM = re.compile(rb"[^:/?#@\[\]]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+")
_TRANSFER_CODING = re.compile(rb"([!#$%&'*+\-.^_`|~0-9a-z]+)[ \t]*(;.*)?")

#: The form of most requests. There is one pattern per part: reading a head must be cheap.
_USUAL_LINE = re.compile(
    rb"(GET|POST) (/[A-Za-z0-9\-._~/]*+)(?:\?([A-Za-z0-9\-._~=&]*+))? HTTP/1\.([01])\r\n"
)
_USUAL_FIELD = re.compile(
    rb"(?<=\r\n)([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+([\t -~\x80-\xff]*+)\r\n"
)
_SINGLE: Final = frozenset((b"host", b"content-length"))


class Refused(Exception):  # noqa: N818
    """Something that is not a request by our rules. The connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.head: Head | None = None  # as far as it was read


class Head:
    """A request without its body."""

    __slots__ = (
        *("method", "path", "query", "is_1_0", "fields"),
        *("length", "keep_alive", "expects_continue", "begun_at", "arrived_at"),
    )

    def __init__(self, method: bytes, path: bytes, query: bytes, is_1_0: bool) -> None:
        self.method = method.decode()
        self.path = path  # as sent, percent-encoded
        self.query = query
        self.is_1_0 = is_1_0
        self.fields: Fields = []  # names in lower case, values without surrounding space
        # When its first byte, and all of it, had arrived, by `time.monotonic()`; 0: not yet.
        self.begun_at = self.arrived_at = 0.0
        # These are valid after `judge`.
        self.length: int | None = 0  # length of the body in bytes; None: it is chunked
        self.keep_alive = not is_1_0
        self.expects_continue = False

    def judge(self) -> None:
        """Decide by the fields that describe the message itself. Raises Refused."""
        fields = dict(self.fields)
        if len(fields) < len(self.fields):
            fields = self._joined()
        host, options = fields.get(b"host"), fields.get(b"connection")
        length, codings = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        if host is None and not self.is_1_0:
            raise Refused(400, "A request has one Host field.")
        if host is not None and not _HOST.fullmatch(host):
            raise Refused(400, "The Host field is not a host.")
        if codings is not None:
            if self.is_1_0 or length is not None:
                raise Refused(400, "The length of the body is ambiguous.")
            _judge_codings(_elements(codings))
            self.length = None
        elif length is not None:
            self.length = _length(length)
        if options is not None and options != b"keep-alive" and b"close" in _elements(options):
            self.keep_alive = False
        if b"expect" in fields and not self.is_1_0:
            if set(_elements(fields[b"expect"])) != {b"100-continue"}:
                raise Refused(417, "The only supported expectation is 100-continue.")
            self.expects_continue = self.length != 0

    def _joined(self) -> dict[bytes, bytes]:
        """Return the fields. Those of one name are joined into one list (RFC 9110, 5.3)."""
        joined: dict[bytes, bytes] = {}
        for name, value in self.fields:
            if name in joined:
                if name in _SINGLE:
                    raise Refused(400, f"A request has one {name.decode().title()} field.")
                joined[name] += b"," + value
            else:
                joined[name] = value
        return joined


def begin_head(text: bytes) -> Head:
    """Read the first line of a head. Raises Refused."""
    match = _REQUEST_LINE.fullmatch(text)
    if match is None:
        raise Refused(400, "This is not HTTP/1.1: the request line cannot be read.")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise Refused(400, "This is not HTTP/1.1: the request line names another version.")
    path, query = _read_target(method, target)
    return Head(method, path, query, minor == b"0")


def read_usual(text: bytes) -> Head | None:
    """Read the lines of a head, each with its end. None: it is not in the usual form.

    This is a shortcut. A head in another form may be valid, or may break a rule.
    """
    match = _USUAL_LINE.match(text)
    if match is None:
        return None
    fields = _USUAL_FIELD.findall(text, match.end())
    if len(fields) + 1 != text.count(b"\r\n"):
        return None
    method, path, query, minor = match.groups()
    head = Head(method, path, query or b"", minor == b"0")
    if b" \r\n" in text or b"\t\r\n" in text:
        head.fields = [(name.lower(), value.rstrip(b" \t")) for name, value in fields]
    else:
        head.fields = [(name.lower(), value) for name, value in fields]
    return head


def read_field(text: bytes) -> tuple[bytes, bytes]:
    """Return name and value of one line without control characters. Raises Refused."""
    name, colon, value = text.partition(b":")
    if not colon or not _TOKEN.fullmatch(name):
        raise Refused(400, "A line of the head is not a header field.")
    return name.lower(), value.strip(b" \t")


def _read_target(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request's target. Raises Refused."""
    if target[:1] != b"/":
        if method == b"OPTIONS" and target == b"*":
            return target, b""
        if method == b"CONNECT" and _AUTHORITY_FORM.fullmatch(target):
            raise Refused(405, "This server is not a proxy.")
        absolute = _ABSOLUTE_FORM.fullmatch(target)
        if absolute is None or absolute[1][:1] in (b"", b":"):
            raise Refused(400, "The request's target cannot be read.")
        target = (absolute[2] or b"/") + absolute[3]
    if not _ORIGIN_FORM.fullmatch(target):
        raise Refused(400, "The request's target has a character that a URL cannot have.")
    path, _, query = target.partition(b"?")
    return path, query


def _length(text: bytes) -> int:
    if not text.isdigit():
        raise Refused(400, "Content-Length is not a number.")
    digits = text.lstrip(b"0")
    if len(digits) > _LENGTH_DIGITS_MAX:
        raise Refused(413, "The body is too long.")
    return int(digits or b"0")


def _judge_codings(codings: list[bytes]) -> None:
    """Accept the transfer coding `chunked` only, once and as the last one. Raises Refused."""
    read = [_TRANSFER_CODING.fullmatch(coding) for coding in codings]
    names = [match[1] for match in read if match]
    if not names or len(names) < len(read):
        raise Refused(400, "Transfer-Encoding cannot be read.")
    if b"chunked" in names[:-1]:
        raise Refused(400, "The transfer coding chunked must be the last, and appear once.")
    if names != [b"chunked"]:
        raise Refused(501, "The only supported transfer coding is chunked.")
    if codings != [b"chunked"]:
        raise Refused(400, "The transfer coding chunked takes no parameters.")


def _elements(text: bytes) -> list[bytes]:
    """Return the elements of a list in lower case. Empty ones do not count (RFC 9110, 5.6.1)."""
    return [element for part in text.lower().split(b",") if (element := part.strip(b" \t"))]
