"""What gateways did in a minute: how many bets they answered, with which codes, and how fast."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from metrics.meters import SECONDS
from models.codes import Code

_COUNT_MAX = 2**53
_CODES_MAX = 32


@dataclass(frozen=True, slots=True)
class MinuteFigures:
    """Counts of one gateway, or of several together. Counts of parts of a time can be added."""

    bets: int = 0  # pay-ins and pay-in-outs with code 1, repeats included
    codes: Mapping[int, int] = field(default_factory=dict)  # answers by code
    seconds: tuple[int, ...] = (0,) * (len(SECONDS) + 1)  # answers by bucket of `SECONDS`

    @property
    def answers(self) -> int:
        """All answers."""
        return sum(self.codes.values())

    @property
    def refused(self) -> int:
        """Answers that are not success."""
        return self.answers - self.codes.get(Code.DONE, 0)

    def __add__(self, other: "MinuteFigures") -> "MinuteFigures":
        codes = Counter(self.codes) + Counter(other.codes)
        seconds = tuple([a + b for a, b in zip(self.seconds, other.seconds, strict=True)])
        return MinuteFigures(self.bets + other.bets, codes, seconds)

    def __sub__(self, earlier: "MinuteFigures") -> "MinuteFigures":
        """What came after an earlier state of the same counts."""
        codes = Counter(self.codes) - Counter(earlier.codes)
        seconds = tuple([a - b for a, b in zip(self.seconds, earlier.seconds, strict=True)])
        return MinuteFigures(self.bets - earlier.bets, codes, seconds)

    def quantile(self, share: float) -> float | None:
        """The time within which this share of the answers was sent, in seconds; None: no answer.

        It is estimated: within a bucket, times are taken to be spread evenly.
        """
        rank, below, lower = share * sum(self.seconds), 0, 0.0
        for bound, count in zip(SECONDS, self.seconds, strict=False):
            if count and below + count >= rank:
                return lower + (bound - lower) * (rank - below) / count
            below, lower = below + count, bound
        return lower if any(self.seconds) else None

    def to_json(self) -> str:
        """For Redis and PostgreSQL."""
        return json.dumps(
            {"bets": self.bets, "codes": self.codes, "seconds": self.seconds},
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` wrote. Raises ValueError for anything else, which somebody planted."""
        try:
            found = json.loads(text)
            codes = {int(code): _count(count) for code, count in found["codes"].items()}
            seconds = tuple(map(_count, found["seconds"]))
            bets = _count(found["bets"])
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"no figures of a minute: {error!r:.200}") from error
        if len(seconds) != len(SECONDS) + 1 or len(codes) > _CODES_MAX:
            raise ValueError("figures of a minute with other buckets or too many codes")
        if not all(0 <= code < 1000 for code in codes):
            raise ValueError("figures of a minute with an impossible code")
        return cls(bets, codes, seconds)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < _COUNT_MAX:
        raise ValueError(f"a count expected, not {value!r:.40}")
    return value
