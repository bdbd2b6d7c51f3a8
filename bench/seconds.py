"""An overload as data: what was offered, served and refused, second by second."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.load import GOOD, NAMES, TRY_LATER, Latency, Sent, latency_of

#: Normal is a p99 of at most so many times that of the calm time before.
NORMAL_TIMES: Final = 2.0


@dataclass(frozen=True)
class Span:
    """What became of the requests that were due within some seconds."""

    begin: float  # seconds from the beginning of all
    end: float
    offered: int
    sent: int
    codes: Mapping[str, int]  # `_responseCode`, or what came instead -> how many
    good: Latency
    refused: Latency  # of those answered with 99
    sent_late: Latency  # by how much the generator itself was late

    def of(self, code: int) -> int:
        """How many were answered with this code."""
        return self.codes.get(_named(code), 0)

    @property
    def others(self) -> int:
        """How many were answered neither well nor with 99, or not at all."""
        return self.offered - self.of(GOOD) - self.of(TRY_LATER)


@dataclass(frozen=True)
class Overload:
    """One overload: a calm time, then more than can be done, then calm again, without a pause."""

    repeat: int
    capacities: Sequence[float]  # good answers a second of a closed loop, just before and after
    served: float  # good answers a second that came during the overload
    calm: Span
    over: Span
    after: Span
    seconds: Sequence[Span]  # all of it, second by second
    normal_after_seconds: float
    connections: int
    generator_cpu_us: float  # a request
    steal: float  # share of the machine's time that another machine had
    others: float  # share of it that went to what is no part of this

    @property
    def capacity(self) -> float:
        """Good answers a second: a machine that slows down meanwhile slows what is served too."""
        return sum(self.capacities) / len(self.capacities)

    @property
    def served_share(self) -> float:
        """What was served, of the capacity."""
        return self.served / self.capacity if self.capacity else 0.0

    @property
    def offered_share(self) -> float:
        """What was really sent, of the capacity."""
        sent = self.over.sent / (self.over.end - self.over.begin)
        return sent / self.capacity if self.capacity else 0.0


def span(sent: Sent, begin: float, end: float) -> Span:
    """What became of those that were due from `begin` to before `end`."""
    within = [n for n, due in enumerate(sent.due) if begin <= due < end]
    codes: dict[str, int] = {}
    for n in within:
        name = _named(sent.kinds[n])
        codes[name] = codes.get(name, 0) + 1
    left = [sent.left[n] for n in within if sent.left[n] >= 0]
    good, refused = (
        latency_of(sent.took[n] for n in within if sent.kinds[n] == code)
        for code in (GOOD, TRY_LATER)
    )
    return Span(begin, end, len(within), len(left), codes, good, refused, latency_of(left))


def normal_after(sent: Sent, calm: Span, begin: float, step: float = 0.5) -> float:
    """Seconds from `begin` until all went as in the calm time; infinite when it never did.

    From then on every answer is good, and in the first step its p99 is near that of before.
    """
    count = math.ceil((sent.due[-1] - begin) / step)
    steps = [span(sent, begin + n * step, begin + (n + 1) * step) for n in range(count)]
    normal, slow = 0, True
    for number, now in enumerate(steps, start=1):
        if now.of(GOOD) < now.offered:
            normal, slow = number, True
        elif slow:
            slow = now.good.p99 > NORMAL_TIMES * calm.good.p99
            normal = number if slow else normal
    return float("inf") if normal == count else normal * step


def _named(kind: int) -> str:
    return NAMES.get(kind, str(kind))
