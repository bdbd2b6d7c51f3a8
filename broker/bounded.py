"""A reader of Redis's answers with a limit of bytes per answer, whatever anyone stored in Redis.

redis-py uses it when a connection pool has `parser_class=BoundedParser`.
"""

from typing import Any, Final

from redis._parsers import _HiredisParser
from redis.exceptions import ConnectionError as RedisConnectionError

#: The longest answer to one command. Answers to our commands are far shorter.
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024


class AnswerTooLong(RedisConnectionError):  # noqa: N818
    """A key in Redis holds more than betcore ever stores in one. The connection is dropped."""

    def __init__(self) -> None:
        super().__init__(f"an answer of Redis is longer than {ANSWER_BYTES_MAX} bytes")


class BoundedParser(_HiredisParser):
    """redis-py's parser, with a limit per answer."""

    def on_connect(self, connection: Any, **kwargs: Any) -> None:
        """Called by redis-py."""
        super().on_connect(connection, **kwargs)  # type: ignore[no-untyped-call]  # redis-py's
        self._counting = _Reader(self._reader)
        self._reader: Any = self._counting

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Called by redis-py for each answer. Raises AnswerTooLong."""
        self._counting.left = ANSWER_BYTES_MAX
        return super().read_response(*args, **kwargs)


class _Reader:
    """hiredis's reader, which counts the bytes that it gets."""

    def __init__(self, reader: Any) -> None:
        self.left = ANSWER_BYTES_MAX
        self.gets = reader.gets
        self.has_data = reader.has_data
        self._feed = reader.feed

    def feed(self, data: bytearray, start: int, length: int) -> None:
        self.left -= length
        if self.left < 0:
            raise AnswerTooLong
        self._feed(data, start, length)
