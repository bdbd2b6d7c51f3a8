"""Bets brought into each row of the protocol's table by calls alone, and the calls that follow."""

import uuid
from typing import Any

from tests.service.support.client import Answer
from tests.service.support.world import PlayerSession

#: What the calls of a row have in common: a stake that is taken, and one that is refused with 4.
STAKE, WIN, TOO_MUCH = 10, 25, 2_000

Step = tuple[str, dict[str, Any]]

_PAY_IN: Step = ("pay-in", {"betAmount": STAKE})
_PAY_OUT: Step = ("pay-out", {"winAmount": WIN})
_PAY_IN_OUT: Step = ("pay-in-out", {"betAmount": STAKE, "winAmount": WIN})
_REFUND: Step = ("refund", {})
_IN_VAIN: Step = ("pay-in", {"betAmount": TOO_MUCH})
_IN_OUT_IN_VAIN: Step = ("pay-in-out", {"betAmount": TOO_MUCH, "winAmount": WIN})

#: The calls after which a bet is in each row, for a player with less than `TOO_MUCH`.
ROWS: dict[str, list[Step]] = {
    "not recorded": [],
    "open": [_PAY_IN],
    "settled by pay-in + pay-out": [_PAY_IN, _PAY_OUT],
    "settled by pay-in-out": [_PAY_IN_OUT],
    "rejected by pay-in": [_IN_VAIN],
    "rejected by pay-in-out": [_IN_OUT_IN_VAIN],
    "refunded": [_PAY_IN, _REFUND],
    "refunded after a win": [_PAY_IN_OUT, _REFUND],
    "cancelled": [_REFUND],
}
RECORDED = [row for row in ROWS if row != "not recorded"]
CALLS = ["pay-in", "pay-in-out", "pay-out", "refund"]


def bet_in(row: str, player: PlayerSession) -> str:
    """A new bet of a player in a row; its `betId`."""
    bet_id = uuid.uuid4().hex
    for call, fields in ROWS[row]:
        assert player.call(call, bet_id, **fields).code == (
            4 if fields.get("betAmount") == TOO_MUCH else 1
        )
    return bet_id


def follow(row: str, call: str, player: PlayerSession, bet_id: str, more: int = 0) -> Answer:
    """A call about a bet in a row, with the row's amounts, or with others when there is `more`."""
    fields = {
        "betAmount": (TOO_MUCH if row.startswith("rejected") else STAKE) + more,
        "winAmount": WIN + more,
    }
    named = {"pay-in": ["betAmount"], "pay-out": ["winAmount"], "pay-in-out": list(fields)}
    return player.call(call, bet_id, **{name: fields[name] for name in named.get(call, [])})
