"""What a rule of the oracle finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.crash.evidence import Ask


@dataclass(frozen=True)
class Finding:
    """Something wrong, as a sentence; the bet and the requests it is about, if any."""

    what: str
    bet: str = ""
    asks: Sequence[Ask] = ()
