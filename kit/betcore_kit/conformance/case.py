"""What a case is: a promise of the protocol in one sentence, and the function that checks it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from betcore_kit.conformance.stage import Stage

#: The categories, in the order of the reports.
CATEGORIES = (
    *("authentication", "exactness", "idempotency", "order", "refunds", "sessions"),
    *("limits", "concurrency", "errors", "timing", "http"),
)


class Broken(Exception):  # noqa: N818  # a promise is broken
    """A promise is not kept. The message says what was expected, and what came."""


class Lacking(Exception):  # noqa: N818  # no error
    """A case cannot run here. The message says what it needs."""


Check = Callable[["Stage"], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One promise. `rule` is the part of PROTOCOL.md that it comes from."""

    category: str
    name: str
    promise: str
    rule: str
    check: Check

    @property
    def id(self) -> str:
        """Return the stable name of the case, such as `refunds/gives_the_stake_back`."""
        return f"{self.category}/{self.name}"


#: Every case, in the order in which the modules of `cases/` define them.
CASES: list[Case] = []


def case(category: str, rule: str) -> Callable[[Check], Check]:
    """Register a function as a case. Its docstring is the promise, in one sentence."""

    def register(check: Check) -> Check:
        promise = " ".join((check.__doc__ or "").split())
        CASES.append(Case(category, check.__name__, promise, rule, check))
        return check

    return register


def table(category: str, rule: str, name: str, promise: str, check: Check) -> None:
    """Register a case that is a row of a table."""
    CASES.append(Case(category, name, promise, rule, check))


def ensure(condition: bool, sentence: str) -> None:
    """Raise Broken with this sentence unless the condition holds."""
    if not condition:
        raise Broken(sentence)
