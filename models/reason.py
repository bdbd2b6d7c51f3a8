"""Why a bet is refused with code 3 or 5. Each of these codes has several causes."""

from enum import StrEnum


class Reason(StrEnum):
    """The causes, in the order of PROTOCOL.md, "Reasons".

    If several apply, the first one is given.
    """

    SESSION_UNKNOWN = "session_unknown"  # or another provider's: the two look the same
    SESSION_CLOSED = "session_closed"
    SESSION_EXPIRED = "session_expired"
    PLAYER_BLOCKED = "player_blocked"
    PROVIDER_SUSPENDED = "provider_suspended"
    BELOW_LIMIT = "below_limit"
    ABOVE_LIMIT = "above_limit"
    WIN_ABOVE_LIMIT = "win_above_limit"
    WIN_ABOVE_DAILY_LIMIT = "win_above_daily_limit"


#: The reasons of code 5. Only they are recorded with a bet, because code 3 records no bet.
RECORDED = (
    Reason.PLAYER_BLOCKED,
    Reason.PROVIDER_SUSPENDED,
    Reason.BELOW_LIMIT,
    Reason.ABOVE_LIMIT,
    Reason.WIN_ABOVE_LIMIT,
    Reason.WIN_ABOVE_DAILY_LIMIT,
)
