"""The content of Redis as flat paths. Values that differ per run are replaced by their kind."""

import re
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_UNIX_TIME = re.compile(r"1\d{9}(\.\d+)?")
_RANDOM_ID = re.compile(r"[0-9a-f]{32}")

Shape = dict[str, str]


def shape(redis: Redis, names: Mapping[str, str]) -> Shape:
    """Every key and field of Redis: `path -> value`.

    `names` replaces ids by what they are. Times become `<time>`, execution ids `<execution>`,
    times to live and scores in the future their rounded distance from now.
    """
    shaper = _Shaper(redis, names)
    return dict(part for key in redis.scan_iter() for part in shaper.of_key(key))


class _Shaper:
    def __init__(self, redis: Any, names: Mapping[str, str]) -> None:
        self._redis = redis
        self._names = names

    def of_key(self, key: bytes) -> Iterator[tuple[str, str]]:
        name, kind = self._text(key), self._redis.type(key).decode()
        yield name, kind
        ttl = self._redis.ttl(key)
        yield f"{name} (ttl)", "none" if ttl < 0 else _about(ttl)
        for field, value in self._parts(key, kind):
            yield f"{name} {field}", value

    def _parts(self, key: bytes, kind: str) -> Iterator[tuple[str, str]]:
        redis = self._redis
        match kind:
            case "hash":
                for field, value in redis.hgetall(key).items():
                    yield self._text(field), self._text(value)
            case "list":
                yield "(items)", " ".join(map(self._text, redis.lrange(key, 0, -1)))
            case "set":
                yield from ((self._text(member), "member") for member in redis.smembers(key))
            case "zset":
                for member, score in redis.zrange(key, 0, -1, withscores=True):
                    yield self._text(member), _about(score - time.time())
            case "stream":
                for number, (_, fields) in enumerate(redis.xrange(key)):
                    for field, value in fields.items():
                        yield f"{number} {self._text(field)}", self._text(value)
            case _:
                yield "(value)", self._text(redis.get(key))

    def _text(self, value: bytes) -> str:
        if value[:32] == bytes(32):
            return "<signature, token and letter>"
        if value[:1] == b"x":
            try:
                return f"compressed: {self._text(zlib.decompress(value))}"
            except zlib.error:
                pass
        text = value.decode()
        for name, kind in self._names.items():
            text = text.replace(name, kind)
        if _ISO_TIME.fullmatch(text):
            return "<time>"
        if _UNIX_TIME.fullmatch(text):
            return "<unix time>"
        return _RANDOM_ID.sub("<execution>", text)


def _about(seconds: float) -> str:
    """A distance in time, rounded so that a slow machine does not change it."""
    return "now" if abs(seconds) < 8 else f"in about {round(seconds / 20) * 20} s"
