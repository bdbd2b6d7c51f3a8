"""Reads requests from the bytes of one connection, wherever the network has split them.

Every rule is applied at the first byte that breaks it, in the order of the bytes.
"""

import re
from enum import Enum, auto
from math import inf
from typing import Final

from server.http_head import Head, Refused, begin_head, read_field, read_usual

#: The bytes from the first of a request to the empty line that ends its head.
HEAD_BYTES_MAX: Final = 16 * 1024
#: The bytes of a whole body, as sent. A body that is too long for the app is dropped up to here.
BODY_BYTES_MAX: Final = 1024 * 1024
#: The fields of one head, or the trailer fields of one body.
FIELDS_MAX: Final = 100
TRAILER_BYTES_MAX: Final = 16 * 1024
#: The bytes of the line before one chunk, and of all chunk extensions of one body.
CHUNK_LINE_BYTES_MAX: Final = 256
EXTENSION_BYTES_MAX: Final = 16 * 1024
#: Empty lines before a request. Some old clients send one after a body.
EMPTY_LINES_MAX: Final = 8

#: Forbidden in every line: a control character, or an end that is not CR LF.
_ILLEGAL = re.compile(rb"[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]|\r(?=[^\n])")
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)


class _Next(Enum):
    """What comes next in a chunked body."""

    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()


class RequestReader:
    """Feed it the bytes that arrive. Ask for a head, then for its body until the body has ended."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0  # bytes before this index were read
        self._scanned = 0  # bytes of the next line that hold nothing illegal
        self._head: Head | None = None  # the part of the next head that was read, line by line
        self._head_bytes = 0  # bytes of that part
        self._empty_lines = 0  # empty lines before that head
        self._left = 0  # bytes left of a body with an announced length
        self._chunks: _Chunks | None = None  # set while a chunked body arrives

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    @property
    def holds(self) -> bool:
        """Whether there are unread bytes, or a head that was read in part."""
        return self._at < len(self._data) or self._head is not None

    def head(self) -> Head | None:
        """Return the next request without its body, or None if it has not arrived as a whole.

        Ask after the body before it has ended. Raises Refused.
        """
        try:
            head = self._whole_head() or self._head_by_lines()
        except Refused as refused:
            refused.head = self._head
            raise
        if head is not None:
            self._head = None
            if head.length is None:
                self._chunks = _Chunks()
            else:
                self._left = head.length
        return head

    def stream_body(self) -> None:
        """Let the next body be of any length: who takes its parts limits it."""
        if self._chunks is not None:
            self._chunks.bytes_max = inf

    def body(self) -> tuple[bytes, bool]:
        """Return the bytes of the body that arrived since the last call, and whether it has ended.

        Raises Refused.
        """
        if self._chunks is not None:
            part, ended = self._body_in_chunks(self._chunks)
            if ended:
                self._chunks = None
            return part, ended
        part = self._data[self._at : self._at + self._left]
        self._at += len(part)
        self._left -= len(part)
        return part, not self._left

    def holds_more_than(self, number: int) -> bool:
        """Return whether more than `number` whole requests have arrived unread.

        Ask between two requests. This looks ahead, and changes nothing.
        """
        ahead = RequestReader()
        ahead.feed(self._data[self._at :])
        try:
            for _ in range(number + 1):
                if ahead.head() is None or not ahead.body()[1]:
                    return False
        except Refused:
            return False
        return True

    def _whole_head(self) -> Head | None:
        """Return a head that is there as a whole and in the usual form, otherwise None."""
        if self._head is not None or self._scanned or self._empty_lines:
            return None
        at = self._at
        end = self._data.find(b"\r\n\r\n", at, at + HEAD_BYTES_MAX)
        if end < 0:
            return None
        head = read_usual(self._data[at : end + 2])
        if head is None or len(head.fields) > FIELDS_MAX:
            return None
        self._head = head
        self._at = end + 4
        head.judge()
        return head

    def _head_by_lines(self) -> Head | None:
        while self._at < len(self._data):
            left = HEAD_BYTES_MAX - self._head_bytes
            line = self._line(left, 414 if self._head is None else 431, "head")
            if line is None:
                return None
            self._head_bytes += len(line) + 2
            if self._head is None:
                if line:
                    self._head = begin_head(line)
                else:
                    self._empty_lines += 1
                    if self._empty_lines > EMPTY_LINES_MAX:
                        raise Refused(400, "There are empty lines instead of a request.")
            elif line:
                if len(self._head.fields) == FIELDS_MAX:
                    raise Refused(431, f"There are more than {FIELDS_MAX} header fields.")
                self._head.fields.append(read_field(line))
            else:
                self._head.judge()
                self._head_bytes = self._empty_lines = 0
                return self._head
        return None

    def _body_in_chunks(self, chunks: "_Chunks") -> tuple[bytes, bool]:
        parts, ended = [], False
        while not ended and self._at < len(self._data):
            if chunks.next is _Next.DATA:
                part = self._data[self._at : self._at + chunks.left]
                self._at += len(part)
                chunks.take(len(part))
                parts.append(part)
            else:
                line = self._line(*chunks.next_line())
                if line is None:
                    break
                ended = chunks.read(line)
        return b"".join(parts), ended

    def _line(self, most: int, too_long: int, what: str) -> bytes | None:
        """Return the next line if it is complete. `most` counts its bytes with its end."""
        data, at = self._data, self._at
        stop = min(len(data), at + most)
        known = at + max(0, self._scanned - 1)
        end = data.find(b"\r\n", known, stop)
        if _ILLEGAL.search(data, known, stop if end < 0 else end + 1):
            raise Refused(400, f"The {what} has a byte that is not allowed there.")
        if end < 0:
            if len(data) - at >= most:
                raise Refused(too_long, f"The {what} is too long.")
            self._scanned = stop - at
            return None
        self._at, self._scanned = end + 2, 0
        return data[at:end]


class _Chunks:
    """How much of a chunked body was read."""

    def __init__(self) -> None:
        self.next = _Next.SIZE
        self.left = 0  # bytes left of the present chunk
        self.bytes_max: float = BODY_BYTES_MAX
        self._bytes = self._extension_bytes = self._trailer_bytes = self._trailers = 0

    def next_line(self) -> tuple[int, int, str]:
        """Return the next line's limit in bytes with its end, the status above it, and its name."""
        match self.next:
            case _Next.TRAILER:
                return TRAILER_BYTES_MAX - self._trailer_bytes, 431, "trailer"
            case _Next.DATA_END:
                return 2, 400, "end of a chunk"
            case _:
                return CHUNK_LINE_BYTES_MAX, 400, "line before a chunk"

    def read(self, line: bytes) -> bool:
        """Read a line between data. Returns whether it was the body's last. Raises Refused."""
        match self.next:
            case _Next.TRAILER:
                return self._trailer(line)
            case _Next.DATA_END:
                self.next = _Next.SIZE
            case _:
                self._size(line)
        self._count(len(line) + 2)
        return False

    def take(self, count: int) -> None:
        """Count `count` bytes of the chunk as read. Raises Refused."""
        self.left -= count
        if not self.left:
            self.next = _Next.DATA_END
        self._count(count)

    def _size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise Refused(400, "The line before a chunk cannot be read.")
        self._extension_bytes += len(line) - len(match[1])
        if self._extension_bytes > EXTENSION_BYTES_MAX:
            raise Refused(400, "The chunk extensions are too long.")
        self.left = int(match[1], 16)
        self.next = _Next.DATA if self.left else _Next.TRAILER

    def _trailer(self, line: bytes) -> bool:
        """Drop a trailer field. Nobody asks for one, and it must not count as a header field."""
        if not line:
            return True
        self._trailer_bytes += len(line) + 2
        self._trailers += 1
        if self._trailers > FIELDS_MAX:
            raise Refused(431, f"There are more than {FIELDS_MAX} trailer fields.")
        read_field(line)
        return False

    def _count(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self.bytes_max:
            raise Refused(413, "The body is too long.")
