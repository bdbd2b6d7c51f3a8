"""The table of rules: document, code and test are one; then every cell under every condition."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from models.cells import Decision
from models.commands import BetCommand, PayIn, PayInOut, PayOut, Refund
from models.rules import COLUMNS, TABLE, Row, decide
from models.state import Account, Bet, BetState, Kind, OpenedBy, Session

DOCUMENT = Path(__file__).parents[2] / "docs" / "ARCHITECTURE.md"
STAKE, WIN, BALANCE = Decimal(10), Decimal(25), Decimal(100)
OTHER = Decimal("0.5")  # what other data differs by
REVERSE = TABLE[Row.SETTLED_BY_ONE][Refund].__doc__ or ""

Expected = tuple[int, tuple[tuple[Kind, Decimal], ...], BetState | None]
CONFLICT: Expected = (7, (), None)


@dataclass(frozen=True)
class Situation:
    """One combination of everything a decision may depend on."""

    row: Row
    call: type[BetCommand]
    same_data: bool = True
    enough_money: bool = True
    session_ended: bool = False
    allowed: bool = True  # player not blocked, provider not suspended
    within_limits: bool = True

    @property
    def stake(self) -> Decimal:
        """The stake of the call."""
        return STAKE if self.same_data else STAKE + OTHER

    @property
    def win(self) -> Decimal:
        """The win of the call."""
        return WIN if self.same_data else WIN + OTHER


def test_the_document_shows_the_table_that_the_code_runs() -> None:
    names = {PayIn: "pay-in", PayInOut: "pay-in-out", PayOut: "pay-out", Refund: "refund"}

    code = {
        row.value: {names[call]: cell.__doc__ for call, cell in cells.items()}
        for row, cells in TABLE.items()
    }

    assert _document_table() == code


def test_every_cell_does_what_its_text_says_under_every_condition() -> None:
    walked = 0
    for situation in _situations():
        decision = decide(*_stage(situation))

        text = TABLE[situation.row][situation.call].__doc__ or ""
        shown = (decision.code, decision.moves, decision.records)
        assert shown == EXPECTED[text](situation), f"{situation}: {decision}"
        walked += 1
    assert walked == len(Row) * len(COLUMNS) * 2**5


@pytest.mark.parametrize("row", [row for row in Row if row is not Row.NOT_RECORDED])
@pytest.mark.parametrize("call", COLUMNS)
def test_a_bet_of_another_account_is_a_conflict_for_every_call(
    row: Row, call: type[BetCommand]
) -> None:
    bet, account, session, command = _stage(Situation(row, call))
    assert bet is not None
    bet.account_id = account.id + 1

    decision = decide(bet, account, session, command)

    assert (decision.code, decision.moves, decision.records) == CONFLICT


@pytest.mark.parametrize("row", list(Row))
@pytest.mark.parametrize("call", COLUMNS)
def test_a_session_that_is_unknown_or_another_providers_is_3_for_every_call(
    row: Row, call: type[BetCommand]
) -> None:
    bet, account, _, command = _stage(Situation(row, call))
    strangers = Session("s", 99, account.id, 2, None, None, ended=False, allowed=True)

    for unusable in (None, strangers):
        decision = decide(bet, account, unusable, command)

        assert (decision.code, decision.moves, decision.records) == (3, (), None)


@pytest.mark.parametrize(
    ("ended", "allowed", "limits", "money", "code"),
    [
        (True, False, False, False, 3),
        (False, False, True, False, 5),
        (False, True, False, False, 5),
        (False, True, True, False, 4),
        (False, True, True, True, 1),
    ],
)
def test_the_checks_on_a_new_bet_are_in_the_order_3_5_5_4(
    ended: bool, allowed: bool, limits: bool, money: bool, code: int
) -> None:
    for call in (PayIn, PayInOut):
        situation = Situation(Row.NOT_RECORDED, call, True, money, ended, allowed, limits)

        assert decide(*_stage(situation)).code == code


def test_only_the_reversal_that_lacks_money_is_a_refusal_that_may_not_last() -> None:
    for situation in _situations():
        decision = decide(*_stage(situation))

        lacks_money = TABLE[situation.row][situation.call].__doc__ == REVERSE
        assert decision.lasts == (not lacks_money or decision.code != 7)


def test_a_refund_of_a_rejected_bet_gives_the_first_mark_again() -> None:
    bet, account, session, call = _stage(Situation(Row.REJECTED, Refund))
    assert bet is not None
    bet.ids[Kind.REFUND] = 5

    assert decide(bet, account, session, call) == Decision(1, (Kind.REFUND,))


@pytest.mark.parametrize(("first", "again"), [(PayIn, PayInOut), (PayInOut, PayIn)])
def test_a_rejected_bet_tried_by_the_other_call_is_a_conflict(
    first: type[BetCommand], again: type[BetCommand]
) -> None:
    bet = _recorded(Row.REJECTED, first)
    _, account, session, call = _stage(Situation(Row.REJECTED, again))

    assert decide(bet, account, session, call).code == 7


def _situations() -> Iterator[Situation]:
    for row, call in itertools.product(Row, COLUMNS):
        for flags in itertools.product((True, False), repeat=5):
            yield Situation(row, call, *flags)


def _document_table() -> dict[str, dict[str, str]]:
    """The table of docs/ARCHITECTURE.md: row -> column -> what the cell says."""
    text = DOCUMENT.read_text()
    lines = text[text.index("| the bet is |") :].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = rows[0][1:]
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows[2:]}


def _stage(situation: Situation) -> tuple[Bet | None, Account, Session, BetCommand]:
    """Bet, account, session and call of a situation."""
    settled = situation.row in (Row.SETTLED_BY_ONE, Row.SETTLED_BY_TWO)
    needed = WIN - STAKE if settled else STAKE
    balance = BALANCE if situation.enough_money else needed - 1
    limits = (None, BALANCE) if situation.within_limits else (STAKE + 1, None)
    session = Session(
        "s",
        1,
        7,
        2,
        limits[0],
        limits[1],
        situation.session_ended,
        situation.allowed,
    )
    call = situation.call(
        *(1, "s", 7, "b"),
        stake=situation.stake if situation.call.has_stake else None,
        win=situation.win if situation.call.has_win else None,
    )
    return _recorded(situation.row, situation.call), Account(7, balance, 3), session, call


def _recorded(row: Row, call: type[BetCommand]) -> Bet | None:
    """A bet in a row; a rejected one was rejected to this call, where that can be."""
    if row is Row.NOT_RECORDED:
        return None
    by = {
        Row.SETTLED_BY_ONE: OpenedBy.PAY_IN_OUT,
        Row.CANCELLED: OpenedBy.REFUND,
        Row.REJECTED: OpenedBy.PAY_IN_OUT if call is PayInOut else OpenedBy.PAY_IN,
    }.get(row, OpenedBy.PAY_IN)
    state = BetState.SETTLED if row.value.startswith("settled") else BetState(row.value)
    has_win = row is Row.SETTLED_BY_TWO or by is OpenedBy.PAY_IN_OUT
    return Bet(
        *(1, 1, "b", 7, "s", None, by, state),
        stake=None if row is Row.CANCELLED else STAKE,
        win=WIN if has_win else None,
        refused_with=4 if row is Row.REJECTED else None,
    )


def _take(situation: Situation) -> Expected:
    if situation.session_ended:
        return (3, (), None)
    if not situation.allowed or not situation.within_limits:
        return (5, (), BetState.REJECTED)
    if not situation.enough_money:
        return (4, (), BetState.REJECTED)
    stake = (Kind.STAKE, situation.stake)
    if situation.call is PayIn:
        return (1, (stake,), BetState.OPEN)
    return (1, (stake, (Kind.WIN, situation.win)), BetState.SETTLED)


def _reverse(situation: Situation) -> Expected:
    moves = ((Kind.REFUND, STAKE), (Kind.WIN_REVERSAL, WIN))
    return (1, moves, BetState.REFUNDED) if situation.enough_money else CONFLICT


def _zero_mark(state: BetState | None) -> Expected:
    return (1, ((Kind.REFUND, Decimal(0)),), state)


def _same(code: int) -> Callable[[Situation], Expected]:
    return lambda situation: (code, (), None) if situation.same_data else CONFLICT


#: What each text of the document means, told independently of the code.
EXPECTED: dict[str, Callable[[Situation], Expected]] = {
    "take → `open`; refused with 4 or 5 → `rejected`; with 3, not recorded": _take,
    "take and pay in one atomic step → `settled`; refusals as pay-in": _take,
    REVERSE: _reverse,
    "pay → `settled`": lambda case: (1, ((Kind.WIN, case.win),), BetState.SETTLED),
    "give back → `refunded`": lambda _: (1, ((Kind.REFUND, STAKE),), BetState.REFUNDED),
    "1, tombstone → `cancelled`": lambda _: _zero_mark(BetState.CANCELLED),
    "1, a zero mark (a repeat gives the first mark's id), stays `rejected`": (
        lambda _: _zero_mark(None)
    ),
    "1, the first id": lambda _: (1, (), None),
    "same data: 1; else 7": _same(1),
    "same call, same data: the recorded code, for ever; else 7": _same(4),
    "6, not recorded": lambda _: (6, (), None),
    "7": lambda _: CONFLICT,
}
