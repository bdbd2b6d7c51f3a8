"""What may have been signed: every combination of at most two mistakes, tried by HMAC.

A mistake is claimed only if it makes the very signature that came. So a claim is a proof.
"""

import base64
import hmac
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from betcore_kit.explain.json_styles import written_anew
from betcore_kit.explain.raw import RawRequest
from betcore_kit.signing import HEADERS, decodings

MISTAKES_MAX = 2
_RIGHT_ORDER = (0, 1, 2, 3)
_DOTS = (b".", b".", b".")


class Variant(NamedTuple):
    """One way to do a step of signing. Without `words` it is the right way."""

    words: tuple[str, ...]
    value: Any


class Found(NamedTuple):
    """What was signed: the mistakes that were made, and the message."""

    words: tuple[str, ...]
    message: bytes


def find_signed(request: RawRequest, secrets: Sequence[str]) -> Found | None:
    """Return what makes the request's signature with the fewest mistakes, or None.

    The first secret is the right one. `words` is empty if the signature is good.
    """
    received = request.value(HEADERS[3])
    parts = [request.value(name).encode("latin-1") for name in HEADERS[:3]]
    ends = [Variant((), b""), *(Variant(("trailing_newline",), end) for end in (b"\n", b"\r\n"))]
    steps = (_keys(secrets), _bodies(request.body), _layouts(bool(request.body)), ends)
    best: Found | None = None
    for words, (key, body, layout, end) in _with_mistakes([list(step) for step in steps]):
        if best and len(words) >= len(best.words):
            continue
        signed = _joined([body.value, *parts], *layout.value) + end.value
        writing = _writing(hmac.digest(key.value, signed, "sha256"), received)
        if writing is None:
            continue
        named = tuple(dict.fromkeys((*words, *writing)))
        if len(named) <= MISTAKES_MAX and (best is None or len(named) < len(best.words)):
            best = Found(named, signed)
    return best


def _with_mistakes(
    steps: Sequence[Sequence[Variant]],
) -> Iterator[tuple[tuple[str, ...], list[Variant]]]:
    """Yield each choice of one variant per step with at most two mistakes, the fewest first.

    The first variant of a step is the right one. So at most two steps have another.
    """
    right = [step[0] for step in steps]
    yield (), right
    for number in range(1, MISTAKES_MAX + 1):
        for places in itertools.combinations(range(len(steps)), number):
            wrong = [
                [one for one in steps[place][1:] if len(one.words) <= MISTAKES_MAX + 1 - number]
                for place in places
            ]
            for chosen in itertools.product(*wrong):
                variants = right.copy()
                for place, variant in zip(places, chosen, strict=True):
                    variants[place] = variant
                yield tuple(word for one in chosen for word in one.words), variants


def _keys(secrets: Sequence[str]) -> Iterator[Variant]:
    right = secrets[0]
    yield Variant((), right.encode())
    yield from (Variant(("decoded_secret",), one) for one in decodings(right))
    others = [*secrets[1:], f"{right}\n", f"{right}\r\n", right.strip(), f" {right}", f"{right} "]
    for other in others:
        if other != right:
            yield Variant(("other_secret",), other.encode())
    for other in secrets[1:]:
        yield from (Variant(("other_secret", "decoded_secret"), one) for one in decodings(other))


def _bodies(body: bytes) -> Iterator[Variant]:
    yield Variant((), body)
    if not body:
        return
    yield Variant(("body_left_out",), b"")
    stripped = body.rstrip(b"\r\n")
    ends = (stripped, stripped + b"\n", stripped + b"\r\n")
    yield from (Variant(("trailing_newline",), one) for one in ends if one != body)
    for other in written_anew(body):
        if other not in (body, *ends):
            yield Variant(("body_reserialised",), other)
            yield Variant(("body_reserialised", "trailing_newline"), other + b"\n")


def _layouts(has_body: bool) -> Iterator[Variant]:
    """Order of the parts, what is between each two, and whether an empty body leaves its dot."""
    yield Variant((), (_RIGHT_ORDER, _DOTS, False))
    if not has_body:
        yield Variant(("extra_dot",), (_RIGHT_ORDER, _DOTS, True))
    same = [(one,) * 3 for one in (b"", b"\n", b"|", b":", b"&")]
    some = [gaps for gaps in itertools.product((b".", b""), repeat=3) if gaps.count(b"") in (1, 2)]
    for gaps in (*same, *some):
        yield Variant(("missing_dot",), (_RIGHT_ORDER, gaps, False))
    for order in itertools.permutations(_RIGHT_ORDER):
        if order != _RIGHT_ORDER:
            yield Variant(("wrong_order",), (order, _DOTS, False))
            for gaps in same:
                yield Variant(("wrong_order", "missing_dot"), (order, gaps, False))


def _joined(
    pieces: Sequence[bytes], order: Sequence[int], gaps: Sequence[bytes], leads: bool
) -> bytes:
    """Join body, id, timestamp and nonce. An empty body is left out, unless it `leads`."""
    chosen = [pieces[place] for place in order if pieces[place] or place or leads]
    between = gaps[len(gaps) + 1 - len(chosen) :]
    return b"".join(itertools.chain(*itertools.zip_longest(chosen, between, fillvalue=b"")))


def _writing(digest: bytes, received: str) -> tuple[str, ...] | None:
    """Return which mistakes were made in writing a digest. None: another digest was written."""
    right = digest.hex()
    if received == right:
        return ()
    if received.lower() == right:
        return ("upper_case",)
    for raw in (digest, right.encode()):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            if received.rstrip("=") == encode(raw).decode().rstrip("="):
                return ("base64_signature",)
    return None
