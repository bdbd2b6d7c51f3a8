"""What is wrong with a signed request: form of the headers, time, nonce, and signature."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from betcore_kit.explain.raw import RawRequest
from betcore_kit.explain.signed import find_signed
from betcore_kit.explain.words import SENTENCES
from betcore_kit.signing import COUNTERPARTY, HEADERS, NONCE, SIGN, TIMESTAMP, message, signature

TOLERANCE_MS = 30_000
_NONCE_FORM = re.compile("[0-9a-fA-F]{32}")
_CONTEXT_BYTES = 12


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes by their words, and what we would compute.

    `signed` is what was signed instead, where that is known. `age_ms` is the age of the timestamp,
    None if it has no form.
    """

    words: tuple[str, ...]
    message: bytes
    signature: str
    received: str
    signed: bytes | None
    age_ms: int | None

    @property
    def sentences(self) -> list[str]:
        """Return a sentence for each mistake."""
        return [SENTENCES[word] for word in self.words]


def diagnose(
    request: RawRequest,
    secrets: Sequence[str],
    now_ms: int,
    *,
    arrived_then: bool = False,
    counterparty_id: str | None = None,
    earlier: Sequence[RawRequest] = (),
) -> Diagnosis:
    """Return what is wrong with a request. The first secret is the right one.

    `now_ms` is the time of its arrival if `arrived_then`. Otherwise it is only the present: then an
    old timestamp is a mistake only if nothing else is, because old requests are what logs have.
    `counterparty_id` is the id that the secret belongs to. `earlier` are requests sent before.
    """
    stamp = request.value(TIMESTAMP)
    age = now_ms - int(stamp) if re.fullmatch("[0-9]{1,16}", stamp) else None
    is_whole = all(len(request.headers[name]) == 1 for name in HEADERS)
    found = find_signed(request, secrets) if is_whole else None
    words = list(_of_headers(request, counterparty_id, earlier))
    if is_whole:
        words += _of_time(stamp, age, now_ms)
        words += found.words if found else ("unknown",)
    if "timestamp_expired" in words and len(words) > 1 and not arrived_then:
        words.remove("timestamp_expired")
    ours = message(request.body, *(request.value(name) for name in HEADERS[:3]))
    received = request.value(SIGN)
    signed = found.message if found else None
    return Diagnosis(
        tuple(dict.fromkeys(words)), ours, signature(secrets[0], ours), received, signed, age
    )


def difference(ours: bytes, theirs: bytes) -> str:
    """Return in one sentence where two messages differ first. "": they are equal."""
    if ours == theirs:
        return ""
    pairs = enumerate(zip(ours, theirs, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    begin = max(at - _CONTEXT_BYTES, 0)

    def around(text: bytes) -> str:
        return f"{text[begin:at]!r} then {text[at : at + _CONTEXT_BYTES] or 'the end'!r}"

    return f"They differ first at byte {at}: expected {around(ours)}; signed {around(theirs)}."


def _of_headers(
    request: RawRequest, counterparty_id: str | None, earlier: Sequence[RawRequest]
) -> list[str]:
    words = []
    if any(len(request.headers[name]) != 1 for name in HEADERS):
        words.append("missing_header")
    named, nonce = request.value(COUNTERPARTY), request.value(NONCE)
    if counterparty_id is not None and named and named != counterparty_id:
        words.append("unknown_provider")
    if nonce and not _NONCE_FORM.fullmatch(nonce):
        words.append("nonce_form")
    for one in earlier:
        same = (one.value(COUNTERPARTY), one.value(NONCE).lower()) == (named, nonce.lower())
        if same and one.value(SIGN) != request.value(SIGN):
            words.append("nonce_used")
    return words


def _of_time(stamp: str, age: int | None, now_ms: int) -> list[str]:
    if age is None:
        return ["timestamp_form"]
    value = int(stamp)
    if now_ms / 10 < value * 1000 < now_ms * 10:
        return ["timestamp_seconds"]
    if now_ms / 10 < value / 1000 < now_ms * 10:
        return ["timestamp_microseconds"]
    if age > TOLERANCE_MS:
        return ["timestamp_expired"]
    return ["timestamp_future"] if age < -TOLERANCE_MS else []
