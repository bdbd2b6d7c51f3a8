"""Which fault a magic bet asks for, by its `betId` (docs/SANDBOX.md has the table).

`sandbox-[CALL-][always-]FAULT[-ANYTHING]`, such as `sandbox-pay-out-lost-17`. Without `always`, a
fault hits only the first request of each call of the bet, so that a repeat shows what was done.
"""

import re
from typing import Final, NamedTuple

from models.codes import Code
from models.reason import Reason

_SECONDS_MAX: Final = 25  # a longer delay would make the timestamp too old
_BEGINNING: Final = "sandbox-"
_CALL: Final = re.compile(r"(?:(pay-in-out|pay-in|pay-out|refund)-)?(always-)?(.+)")
_WAIT: Final = re.compile(r"(slow|delayed)-([1-9][0-9]?)s(?:-.*)?")
#: Without a call in their name, these codes are given only where they may come.
_OF_NEW_BETS: Final = ("pay-in", "pay-in-out")
_CALLS_OF: Final = {
    Code.SESSION_CLOSED: _OF_NEW_BETS,
    Code.INSUFFICIENT_FUNDS: _OF_NEW_BETS,
    Code.NOT_ALLOWED: (*_OF_NEW_BETS, "pay-out"),
    Code.BET_NOT_FOUND: ("pay-out",),
}
_REASONS: Final = {
    Code.SESSION_CLOSED: (
        Reason.SESSION_CLOSED,
        Reason.SESSION_UNKNOWN,
        Reason.SESSION_EXPIRED,
    ),
    Code.NOT_ALLOWED: (
        Reason.PLAYER_BLOCKED,
        Reason.PROVIDER_SUSPENDED,
        Reason.BELOW_LIMIT,
        Reason.ABOVE_LIMIT,
        Reason.WIN_ABOVE_LIMIT,
        Reason.WIN_ABOVE_DAILY_LIMIT,
    ),
}
_OF_WINS: Final = (Reason.WIN_ABOVE_LIMIT, Reason.WIN_ABOVE_DAILY_LIMIT)


class Fault(NamedTuple):
    """What happens to a request. The request is worked on as usual if `applied`.

    `delayed` seconds pass before that, `slow` seconds after it. `answer` is given instead of the
    usual answer: a word of `ANSWERS`, or "" for the usual one. `code` is that of a refusal.
    """

    word: str
    applied: bool = True
    answer: str = ""
    delayed: int = 0
    slow: int = 0
    code: Code | None = None
    reason: Reason | None = None
    first_only: bool = True


#: The words of faults. A longer word goes before its beginning.
_WORDS: Final = {
    "lost-nothing": Fault("lost-nothing", applied=False, answer="lost"),
    "lost": Fault("lost", answer="lost"),
    "0-nothing": Fault("0-nothing", applied=False, answer="unknown"),
    "0": Fault("0", answer="unknown"),
    "99": Fault("99", applied=False, answer="try_later"),
    "429": Fault("429", applied=False, answer="above_rate"),
    "502": Fault("502", applied=False, answer="proxy"),
}


def read_fault(call: str, bet_id: str) -> Fault | None:
    """The fault for a call of a bet, or None. `call` is such as `pay-in`."""
    if not bet_id.startswith(_BEGINNING):
        return None
    read = _CALL.fullmatch(bet_id[len(_BEGINNING) :])
    if read is None or (read[1] or call) != call:
        return None
    said, first_only = read[3], not read[2]
    if wait := _WAIT.fullmatch(said):
        seconds = min(int(wait[2]), _SECONDS_MAX)
        return Fault(f"{wait[1]}-{seconds}s", first_only=first_only)._replace(**{wait[1]: seconds})
    for word, fault in _WORDS.items():
        if said == word or said.startswith(f"{word}-"):
            return fault._replace(first_only=first_only)
    return _refusal(call, said, named=read[1] is not None)


def _refusal(call: str, said: str, *, named: bool) -> Fault | None:
    """The refusal with a code that is final. So it hits every request."""
    digit, _, rest = said.partition("-")
    if digit not in ("2", "3", "4", "5", "6", "7", "8"):
        return None
    code = Code(int(digit))
    if not named and call not in _CALLS_OF.get(code, (call,)):
        return None
    reasons = _REASONS.get(code, ())
    named_reason = next((one for one in reasons if rest == one or rest.startswith(f"{one}-")), None)
    reason = named_reason or (reasons[0] if reasons else None)
    if call == "pay-out" and code is Code.NOT_ALLOWED and not named and reason not in _OF_WINS:
        return None
    word = digit if reason is None else f"{digit}-{reason}"
    return Fault(word, applied=False, answer="refusal", code=code, reason=reason, first_only=False)
