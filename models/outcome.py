"""The ledger's answer to a command. It travels back to the gateway as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from models.codes import Code
from models.money import plain
from models.reason import Reason


@dataclass(frozen=True, slots=True)
class Outcome:
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
        return cls(
            Code(values["code"]),
            None if balance is None else Decimal(balance),
            tuple([int(id_) for id_ in values["ids"]]),
            None if reason is None else Reason(reason),
        )
