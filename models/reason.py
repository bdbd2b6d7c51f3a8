"""Why a bet is refused with code 3 or 5, which each have several causes."""

from enum import StrEnum


class Reason(StrEnum):
    """The causes, in the order of PROTOCOL.md, "Reasons": of several, the first one is given."""

    SESSION_UNKNOWN = "session_unknown"  # or another provider's: the two look the same
    SESSION_CLOSED = "session_closed"
    SESSION_EXPIRED = "session_expired"
    PLAYER_BLOCKED = "player_blocked"
    PROVIDER_SUSPENDED = "provider_suspended"
    BELOW_LIMIT = "below_limit"
    ABOVE_LIMIT = "above_limit"


#: Those of code 5. Only they are recorded with a bet, because a 3 records none.
RECORDED = (
    Reason.PLAYER_BLOCKED,
    Reason.PROVIDER_SUSPENDED,
    Reason.BELOW_LIMIT,
    Reason.ABOVE_LIMIT,
)
