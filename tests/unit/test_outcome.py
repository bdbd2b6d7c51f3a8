"""Outcomes from the queue: also those of other releases, and of anybody who writes there."""

from decimal import Decimal

import pytest

from models.codes import Code
from models.outcome import Outcome
from models.reason import Reason


def test_an_outcome_is_read_as_it_was_written() -> None:
    outcome = Outcome(Code.NOT_ALLOWED, Decimal("1588.50"), (8, 9), Reason.ABOVE_LIMIT)

    assert Outcome.from_json(outcome.to_json()) == outcome


@pytest.mark.parametrize("reason", [{}, {"reason": "of_a_newer_release"}, {"reason": None}])
def test_a_worker_of_another_release_may_send_no_reason_or_one_that_is_not_known(
    reason: dict[str, str],
) -> None:
    values = {"code": 5, "balance": "1", "ids": [], **reason}

    assert Outcome.from_json(values) == Outcome(Code.NOT_ALLOWED, Decimal(1))


@pytest.mark.parametrize("balance", ["1E+999999999", "NaN", "Infinity", "-Infinity", "sNaN"])
def test_a_balance_that_no_account_can_have_is_refused(balance: str) -> None:
    with pytest.raises(ValueError, match="no balance"):
        Outcome.from_json({"code": 1, "balance": balance, "ids": []})
