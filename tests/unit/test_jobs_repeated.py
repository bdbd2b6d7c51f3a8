"""How often a worker repeats a command: as long as there is time, and ten times for a taken bet."""

import time
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import cast

import pytest

from broker.codec import Work
from broker.keys import command_id
from broker.taken import TakenCommand
from models.codes import Code
from models.commands import Command, PayInOut
from models.deadline import Deadline
from models.errors import BetTaken, LedgerContention, LedgerError, LedgerUnavailable
from models.ledger.ledger import Ledger
from models.outcome import Outcome
from workers import jobs

BET = PayInOut(7, "s", 42, "b", stake=Decimal(1), win=Decimal(0))


class Faults:
    """A ledger that fails as the test says, and then applies."""

    def __init__(self, *errors: LedgerError) -> None:
        self.left = list(errors)

    def apply(
        self, commands: Sequence[Command], in_time: Callable[[int], bool], seconds_max: float
    ) -> list[Outcome | None]:
        """As `Ledger.apply`."""
        assert in_time(0)
        assert seconds_max > 0
        if self.left:
            raise self.left.pop(0)
        return [Outcome(Code.DONE, Decimal(0), (1, 2)) for _ in commands]


def end_of(ledger: Faults) -> str:
    """How one bet ends on that ledger: '' once it is applied, otherwise its failure."""
    token = uuid.uuid4().hex
    taken = TakenCommand(command_id(42, token), Work(BET, token, ""), Deadline.within(300))
    [end] = jobs.run(cast("Ledger", ledger), [taken])
    return end.failure


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not wait between two tries."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_a_bet_that_another_transaction_has_taken_is_tried_again_and_not_for_ever() -> None:
    assert end_of(Faults(*[BetTaken()] * 9)) == ""
    assert end_of(Faults(*[BetTaken()] * 100)).startswith("BetTaken")


@pytest.mark.parametrize("trouble", [LedgerUnavailable, LedgerContention])
def test_waiting_for_postgresql_uses_up_none_of_those_tries(trouble: type[LedgerError]) -> None:
    assert end_of(Faults(*[trouble()] * 50, BetTaken())) == ""
