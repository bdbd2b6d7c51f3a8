"""The ledger's answer to a command. It travels back to the gateway as JSON."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self

from models.codes import Code
from models.money import plain
from models.reason import Reason

#: An account holds less than 10 to this power (models/tables/columns.py). A planted result with a
#: longer number must not be written out.
_DIGITS_MAX: Final = 30
_REASONS: Final = frozenset(Reason)


class Outcome(NamedTuple):
    """The `_responseCode`, the balance if the player is known, and the ids of transfers.

    `ids` are in the order of the command's `answers`. `reason` belongs to code 3 or 5.
    """

    code: Code
    balance: Decimal | None = None
    ids: tuple[int, ...] = ()
    reason: Reason | None = None

    def to_json(self) -> dict[str, object]:
        """The outcome as JSON values.

        The balance is text, so that it never becomes a binary float.
        """
        values: dict[str, object] = {
            "code": self.code,
            "balance": None if self.balance is None else plain(self.balance),
            "ids": [str(id_) for id_ in self.ids],
        }
        if self.reason is not None:
            values["reason"] = self.reason
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The outcome that `to_json` wrote. Raises KeyError, ValueError or TypeError."""
        balance, reason = values["balance"], values.get("reason")  # an older worker sends no reason
        amount = None if balance is None else Decimal(balance)
        if amount is not None and not (amount.is_finite() and amount.adjusted() < _DIGITS_MAX):
            raise ValueError(f"no balance of an account: {balance!r:.80}")
        return cls(
            Code(values["code"]),
            amount,
            tuple([int(id_) for id_ in values["ids"]]),
            Reason(reason) if reason in _REASONS else None,  # a newer worker may know more
        )
