"""Names the mistake in a request that could not be authenticated. It is a pure function.

A mistake about the signature is named only if it makes the very signature that came. The words are
stable, and those of `betcore-kit explain`. tests/signing_mistakes.json is a test of both.
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

_HEADERS: Final = (b"x-counterparty-id", b"x-timestamp", b"x-request-id", b"x-sign")
_NONCE: Final = re.compile(rb"[0-9a-fA-F]{32}")
_STAMP: Final = re.compile(rb"[0-9]{1,16}")
_LINE_ENDS: Final = (b"\n", b"\r\n")
_JSON_STYLES: Final = (
    {"separators": (",", ":")},
    {"separators": (", ", ": ")},
    {"indent": 2},
    {"indent": 4},
)

SENTENCES: Final = {
    "missing_header": "One of the four headers is missing, or is there twice.",
    "unknown_provider": "There is no provider with this X-Counterparty-Id.",
    "timestamp_form": "X-Timestamp must be 1 to 16 digits: Unix milliseconds.",
    "timestamp_seconds": "X-Timestamp is in seconds, but it must be in milliseconds.",
    "timestamp_microseconds": "X-Timestamp is in microseconds, but it must be in milliseconds.",
    "timestamp_expired": "X-Timestamp is too old: sign again, and check your clock.",
    "timestamp_future": "X-Timestamp is in the future: check your clock.",
    "nonce_form": "X-Request-Id must be 32 hexadecimal digits, without dashes.",
    "nonce_used": "X-Request-Id was used before, with another signature: use a new one.",
    "upper_case": "X-Sign has upper-case hex digits, but it must be in lower case.",
    "base64_signature": "X-Sign is in base64, but it must be in lower-case hex.",
    "decoded_secret": "The secret was decoded, but its characters as given are the key.",
    "other_secret": "The request was signed with another secret.",
    "body_reserialised": "Other JSON was signed than was sent: sign the exact bytes of the body.",
    "body_left_out": "The body was left out of the signed message.",
    "missing_dot": "The parts of the signed message were not all joined by a dot.",
    "wrong_order": "The parts were signed in the wrong order: body, id, timestamp, nonce.",
    "trailing_newline": "A line end was signed that was not sent, or was sent and not signed.",
    "unknown": "No known mistake explains it: compare the message below with what you signed.",
}


class Mistake(NamedTuple):
    """The word for a mistake, and the message that has to be signed."""

    word: str
    message: bytes

    @property
    def sentence(self) -> str:
        """The mistake in one sentence."""
        return SENTENCES[self.word]


class Received(NamedTuple):
    """A request as it came, and when: Unix milliseconds. Names of headers are in lower case."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    at_ms: float

    @property
    def named(self) -> str:
        """The provider that it names, or ""."""
        named = [value for name, value in self.headers if name == _HEADERS[0]]
        return named[0].decode("latin-1") if named else ""


def find_mistake(
    received: Received,
    secrets: Sequence[str] | None,
    tolerance_ms: float,
    others: Iterable[hmac.HMAC] = (),
) -> Mistake:
    """Why a request was not authenticated.

    `secrets` are those of its provider, or None if there is no such provider. `others` are keyed
    HMACs of secrets that other providers have.
    """
    values = [[value for name, value in received.headers if name == one] for one in _HEADERS]
    parts = [found[0] if found else b"" for found in values]
    message = _joined(received.body, parts[:3])
    return Mistake(_word(received, values, secrets, tolerance_ms, others), message)


def _word(
    received: Received,
    values: Sequence[Sequence[bytes]],
    secrets: Sequence[str] | None,
    tolerance_ms: float,
    others: Iterable[hmac.HMAC],
) -> str:
    if any(len(found) != 1 or not found[0] for found in values):
        return "missing_header"
    _, stamp, nonce, signature = parts = [found[0] for found in values]
    if not _STAMP.fullmatch(stamp):
        return "timestamp_form"
    if not _NONCE.fullmatch(nonce):
        return "nonce_form"
    if of_time := _of_time(int(stamp), received.at_ms, tolerance_ms):
        return of_time
    if secrets is None:
        return "unknown_provider"
    for secret in secrets:
        if found := _of_signature(secret, received.body, parts[:3], signature):
            return found
    message = _joined(received.body, parts[:3])
    for other in others:
        copy = other.copy()
        copy.update(message)
        if copy.hexdigest().encode() == signature:
            return "other_secret"
    return "unknown"


def _of_time(stamp: int, now_ms: float, tolerance_ms: float) -> str:
    if now_ms / 10 < stamp * 1000 < now_ms * 10:
        return "timestamp_seconds"
    if now_ms / 10 < stamp / 1000 < now_ms * 10:
        return "timestamp_microseconds"
    if now_ms - stamp > tolerance_ms:
        return "timestamp_expired"
    return "timestamp_future" if stamp - now_ms > tolerance_ms else ""


def _of_signature(secret: str, body: bytes, parts: Sequence[bytes], signature: bytes) -> str:
    """The mistake by which this secret made the signature, or "". A good one was used before."""
    right = _joined(body, parts)
    digest = hmac.digest(secret.encode(), right, "sha256")
    hex_digest = digest.hex().encode()
    if signature == hex_digest:
        return "nonce_used"
    if signature.lower() == hex_digest:
        return "upper_case"
    for raw in (digest, hex_digest):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            if signature.rstrip(b"=") == encode(raw).rstrip(b"="):
                return "base64_signature"
    tries = itertools.chain(
        (("decoded_secret", key, right) for key in _decoded(secret)),
        (("other_secret", key, right) for key in _copied(secret)),
        ((word, secret.encode(), message) for word, message in _messages(body, parts)),
    )
    for word, key, message in tries:
        made = hmac.new(key, message, hashlib.sha256).hexdigest()
        if made.encode() == signature.lower():
            return word
    return ""


def _decoded(secret: str) -> Iterator[bytes]:
    padded = secret.rstrip("=") + "=" * (-len(secret.rstrip("=")) % 4)
    for decode in (base64.b64decode, base64.urlsafe_b64decode):
        try:
            yield decode(padded)
        except ValueError:
            continue
    try:
        yield bytes.fromhex(secret)
    except ValueError:
        return


def _copied(secret: str) -> Iterator[bytes]:
    """The secret as it may be copied by mistake."""
    for text in (f"{secret}\n", f"{secret}\r\n", f"{secret} ", f" {secret}", secret.strip()):
        if text != secret:
            yield text.encode()


def _messages(body: bytes, parts: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Wrong messages, each with the word for its mistake."""
    right = _joined(body, parts)
    if body:
        yield "body_left_out", _joined(b"", parts)
    stripped = body.rstrip(b"\r\n")
    for other in (stripped, *(stripped + end for end in _LINE_ENDS)):
        if body and other != body:
            yield "trailing_newline", _joined(other, parts)
    yield from (("trailing_newline", right + end) for end in _LINE_ENDS)
    pieces = [body, *parts] if body else list(parts)
    for gaps in itertools.product((b".", b"", b"\n", b"|", b":"), repeat=len(pieces) - 1):
        if gaps.count(b".") < len(gaps):
            ends = [*gaps, b""]
            yield "missing_dot", b"".join(itertools.chain(*zip(pieces, ends, strict=True)))
    for order in itertools.permutations(pieces):
        if list(order) != pieces:
            yield "wrong_order", b".".join(order)
    for other in _written_anew(body):
        yield "body_reserialised", _joined(other, parts)


def _written_anew(body: bytes) -> Iterator[bytes]:
    """The JSON of a body as common libraries write it. Nothing if it is no JSON."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for style, in_order, ascii_only in itertools.product(
        _JSON_STYLES, (False, True), (False, True)
    ):
        said = json.dumps(value, sort_keys=in_order, ensure_ascii=ascii_only, **style)  # type: ignore[arg-type]
        for text in (said, said.replace("/", "\\/")):
            yield text.encode("utf-8", "surrogatepass")


def _joined(body: bytes, parts: Sequence[bytes]) -> bytes:
    return b".".join((body, *parts) if body else parts)
