"""Counters and histograms of one process. To add to one is a step of the interpreter, or two.

Who adds waits for no lock. Other threads read (docs/adr/0029).
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from itertools import accumulate
from threading import Lock
from typing import Final, NamedTuple

#: Upper bounds of buckets, in seconds. The last bucket is for everything above them.
SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
#: The same for numbers of commands.
COMMANDS: Final = (1, 2, 4, 8, 16, 32, 48, 64, 128, 256, 512)
#: New values of a histogram. More are not kept: nobody folds them if metrics are not served.
_NEW_MAX: Final = 50_000


class Counter:
    """Counts up from 0. Add with `counter.count += 1`."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class LabelledCounter:
    """A counter per combination of labels. Add with `counter.counts[labels] += 1`.

    Use labels that nobody outside can choose, because each combination is kept for ever.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, ...], int] = defaultdict(int)


class Histogram:
    """How often a value fell into each bucket, and the sum of all values.

    `observe` only appends to a queue. `fold` sorts many values into the buckets at once, in another
    thread. So a value costs a tenth of what one search for its bucket costs.
    """

    __slots__ = ("_lock", "_new", "bounds", "counts", "observe", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """`bounds`: the largest value of each bucket, ascending. One more bucket has the rest."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._new: deque[float] = deque(maxlen=_NEW_MAX)
        self._lock = Lock()  # of those that fold
        #: Add a value.
        self.observe: Callable[[float], None] = self._new.append

    def fold(self) -> None:
        """Put the new values into their buckets."""
        with self._lock:
            values = sorted([self._new.popleft() for _ in range(len(self._new))])
            reached = 0
            for place, bound in enumerate(self.bounds):
                below = bisect_right(values, bound)
                self.counts[place] += below - reached
                reached = below
            self.counts[-1] += len(values) - reached
            self.total += sum(values)

    def cumulative(self) -> list[tuple[str, float]]:
        """For each bucket, its upper bound as Prometheus writes it, and the count up to there."""
        self.fold()
        labels = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
        return list(zip(labels, accumulate(self.counts), strict=True))


#: The values of one metric at a scrape, by the values of its labels.
Values = Mapping[tuple[str, ...], "float | Histogram"]


class Metric(NamedTuple):
    """One metric as docs/METRICS.md describes it, and the function that reads its values."""

    kind: str  # counter, gauge or histogram
    name: str
    meaning: str
    labels: tuple[str, ...]
    values: Callable[[], Values]


def counter(name: str, meaning: str, meter: Counter) -> Metric:
    """A counter without labels."""
    return Metric("counter", name, meaning, (), lambda: {(): meter.count})


def labelled(
    name: str, meaning: str, labels: tuple[str, ...], read: Callable[[], Values]
) -> Metric:
    """A counter with labels."""
    return Metric("counter", name, meaning, labels, read)


def gauge(name: str, meaning: str, read: Callable[[], float]) -> Metric:
    """A gauge without labels, whose value is asked at the scrape."""
    return Metric("gauge", name, meaning, (), lambda: {(): read()})


def histogram(name: str, meaning: str, meter: Histogram) -> Metric:
    """A histogram without labels."""
    return Metric("histogram", name, meaning, (), lambda: {(): meter})


def by_label(name: str, meaning: str, label: str, **meters: Histogram) -> Metric:
    """A histogram for each value of one label."""
    found: Values = {(value,): meter for value, meter in meters.items()}
    return Metric("histogram", name, meaning, (label,), lambda: found)
