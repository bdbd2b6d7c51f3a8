"""What an application may watch: each request, each answer, each repeat, and the clock."""

from collections.abc import Callable
from dataclasses import dataclass

from betcore_kit.calls import Call


@dataclass(frozen=True)
class Attempt:
    """One request of a call. `number` counts from 1; `why` says what it is for."""

    call: Call
    number: int
    why: str


@dataclass(frozen=True)
class Reply:
    """What came back: an HTTP answer, or none.

    `status` 0 means that no answer came. Then `was_sent` is False if the request certainly never
    left, because no connection was made.
    """

    status: int = 0
    body: bytes = b""
    retry_after: str = ""
    date: str = ""
    was_sent: bool = True
    seconds: float = 0.0


def _nothing(*_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Hooks:
    """Functions that the client calls. They are quick, and raise nothing.

    - `before_request(attempt, headers)`: the headers include the signature.
    - `after_answer(attempt, reply)`
    - `on_retry(attempt, pause_seconds)`: this attempt will follow after the pause.
    - `on_clock_skew(seconds)`: the wallet's clock is that far ahead of ours (negative: behind).
    """

    before_request: Callable[[Attempt, dict[str, str]], object] = _nothing
    after_answer: Callable[[Attempt, Reply], object] = _nothing
    on_retry: Callable[[Attempt, float], object] = _nothing
    on_clock_skew: Callable[[float], object] = _nothing
