"""How often the client repeats, asks and refunds, and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The bounds of one call. Nothing is ever sent beyond them. All times are in seconds.

    The default is the recipe of PROTOCOL.md. A crash game, whose pay-in is refunded without a
    repeat, uses `Schedule(repeats=0, questions=())`.
    """

    #: How long one request may take. The wallet answers within 5 s.
    timeout: float = 7.0
    #: Immediate repeats after code 0 or no answer, with a new nonce and the same betId.
    repeats: int = 1
    #: How often a request that was certainly not admitted (code 99) is sent again.
    try_later: int = 4
    #: The longest wait for a `Retry-After`.
    retry_after_max: float = 5.0
    #: The pause before each question for the state of a bet whose outcome is unknown.
    questions: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    #: Whether a bet that stays unknown is closed by a refund. What is owed is never refunded.
    refund_last: bool = True

    def requests_max(self) -> int:
        """Return the greatest number of requests that one call about a bet can make."""
        tries = 1 + self.repeats + self.try_later
        owed = tries + len(self.questions) * (1 + tries)
        stake = tries + len(self.questions) + (owed + 1 if self.refund_last else 0)
        return max(owed, stake)
