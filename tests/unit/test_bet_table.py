"""The table of rules: document, code and test agree, and each cell holds in every situation."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from models.codes import Code
from models.commands import BetCommand, PayIn, PayInOut, PayOut, Refund
from models.ledger.rules import COLUMNS, TABLE, Decision, TableRow, decide
from models.ledger.state import Account, Bet, BetState, Kind, OpenedBy, Round, Session
from models.reason import Reason

DOCUMENT = Path(__file__).parents[2] / "docs" / "ARCHITECTURE.md"
STAKE, WIN, BALANCE = Decimal(10), Decimal(25), Decimal(100)
OTHER = Decimal("0.5")  # what other data differs by
REVERSE = TABLE[TableRow.SETTLED_BY_ONE][Refund].__doc__ or ""

FLAGS = 11  # of a `Situation`

Expected = tuple[int, tuple[tuple[Kind, Decimal], ...], BetState | None]
CONFLICT: Expected = (7, (), None)


@dataclass(frozen=True)
class Situation:
    """One combination of everything a decision may depend on."""

    row: TableRow
    call: type[BetCommand]
    staked: bool = True  # else the stake is 0, and the win above it
    same_data: bool = True
    same_round: bool = True
    enough_money: bool = True
    closed: bool = False
    expired: bool = False
    blocked: bool = False
    suspended: bool = False
    within_limits: bool = True
    win_within: bool = True  # else it is above the provider's limit
    late: bool = False  # whether the round is finished

    @property
    def first_stake(self) -> Decimal:
        """The stake of the bet, where there is one."""
        return STAKE if self.staked else Decimal(0)

    @property
    def stake(self) -> Decimal:
        """The stake of the call."""
        return self.first_stake if self.same_data else self.first_stake + OTHER

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
    for situation in situations():
        decision = decide(*stage(situation), of_round=Round((7, 1, "round"), situation.late))

        text = TABLE[situation.row][situation.call].__doc__ or ""
        shown = (decision.code, decision.moves, decision.records)
        assert shown == EXPECTED[text](situation), f"{situation}: {decision}"
        assert decision.reason == _reason(situation, decision), f"{situation}: {decision}"
        walked += 1
    assert walked == len(TableRow) * len(COLUMNS) * 2**FLAGS


@pytest.mark.parametrize("row", [row for row in TableRow if row is not TableRow.NOT_RECORDED])
@pytest.mark.parametrize("call", COLUMNS)
def test_a_bet_of_another_account_is_a_conflict_for_every_call(
    row: TableRow, call: type[BetCommand]
) -> None:
    bet, account, session, command = stage(Situation(row, call))
    assert bet is not None
    bet.account_id = account.id + 1

    decision = decide(bet, account, session, command)

    assert (decision.code, decision.moves, decision.records) == CONFLICT


@pytest.mark.parametrize("row", list(TableRow))
@pytest.mark.parametrize("call", COLUMNS)
def test_a_session_that_is_unknown_or_another_providers_is_3_for_every_call(
    row: TableRow, call: type[BetCommand]
) -> None:
    bet, account, _, command = stage(Situation(row, call))
    strangers = Session("s", 99, account.id, 2, None, None, False, False, False, False)

    for unusable in (None, strangers):
        decision = decide(bet, account, unusable, command)

        assert decision == Decision(Code.SESSION_CLOSED, reason=Reason.SESSION_UNKNOWN)


@pytest.mark.parametrize(
    ("first", "code", "reason"),
    [
        ("closed", 3, "session_closed"),
        ("expired", 3, "session_expired"),
        ("blocked", 5, "player_blocked"),
        ("suspended", 5, "provider_suspended"),
        ("within_limits", 5, "below_limit"),
        ("enough_money", 4, None),
        (None, 1, None),
    ],
)
@pytest.mark.parametrize("call", [PayIn, PayInOut])
def test_of_several_causes_the_first_in_the_order_of_the_protocol_is_given(
    call: type[BetCommand], first: str | None, code: int, reason: str | None
) -> None:
    """All later causes apply too, and no earlier cause does."""
    order = ["closed", "expired", "blocked", "suspended", "within_limits", "enough_money"]
    begin = len(order) if first is None else order.index(first)
    against = {name: name in order[:4] for name in order[begin:]}

    decision = decide(*stage(Situation(TableRow.NOT_RECORDED, call, **against)))

    assert (decision.code, decision.reason) == (code, reason)


def test_only_a_reversal_that_lacks_money_and_an_owed_win_are_refusals_that_may_not_last() -> None:
    for situation in situations():
        decision = decide(*stage(situation))

        lacks_money = TABLE[situation.row][situation.call].__doc__ == REVERSE
        waits = situation.row is TableRow.NOT_RECORDED and _is_owed(situation)
        waits |= situation.row is TableRow.OPEN and situation.call is PayOut
        passes = (lacks_money and decision.code == 7) or (waits and decision.code == 5)
        assert decision.lasts == (not passes)
        assert not (passes and decision.is_repeatable)


@pytest.mark.parametrize(
    ("won_today", "most", "code"), [("0", "25", 1), ("0.01", "25", 5), ("99", "0", 5)]
)
@pytest.mark.parametrize("row", [TableRow.OPEN, TableRow.NOT_RECORDED])
def test_a_win_may_just_reach_the_limit_of_the_day_but_not_pass_it(
    row: TableRow, won_today: str, most: str, code: int
) -> None:
    call = PayOut if row is TableRow.OPEN else PayInOut
    bet, account, session, command = stage(Situation(row, call))
    session = replace(session, max_daily_win=Decimal(most))

    decision = decide(bet, account, session, command, Decimal(won_today))
    lost = decide(bet, account, session, replace(command, win=Decimal(0)), Decimal(won_today))

    assert decision.code == code
    assert decision.reason == (None if code == 1 else "win_above_daily_limit")
    assert lost.code == 1  # nothing is won, so no limit counts


def test_a_refund_of_a_rejected_bet_gives_the_first_mark_again() -> None:
    bet, account, session, call = stage(Situation(TableRow.REJECTED, Refund))
    assert bet is not None
    bet.ids[Kind.REFUND] = 5

    assert decide(bet, account, session, call) == Decision(Code.DONE, (Kind.REFUND,))


@pytest.mark.parametrize(("first", "again"), [(PayIn, PayInOut), (PayInOut, PayIn)])
def test_a_rejected_bet_tried_by_the_other_call_is_a_conflict(
    first: type[BetCommand], again: type[BetCommand]
) -> None:
    bet = recorded_bet(TableRow.REJECTED, first)
    _, account, session, call = stage(Situation(TableRow.REJECTED, again))

    assert decide(bet, account, session, call).code == 7


def situations() -> Iterator[Situation]:
    """Every combination of everything."""
    for row, call in itertools.product(TableRow, COLUMNS):
        for flags in itertools.product((True, False), repeat=FLAGS):
            yield Situation(row, call, *flags)


def _document_table() -> dict[str, dict[str, str]]:
    """The table of docs/ARCHITECTURE.md: row -> column -> what the cell says."""
    text = DOCUMENT.read_text()
    lines = text[text.index("| the bet is |") :].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = rows[0][1:]
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows[2:]}


def stage(situation: Situation) -> tuple[Bet | None, Account, Session, BetCommand]:
    """Bet, account, session and call of a situation."""
    settled = situation.row in (TableRow.SETTLED_BY_ONE, TableRow.SETTLED_BY_TWO)
    needed = WIN - situation.first_stake if settled else situation.first_stake
    balance = BALANCE if situation.enough_money else max(needed - 1, Decimal(0))
    limits = (None, BALANCE) if situation.within_limits else (STAKE + 1, None)
    session = Session(
        "s",
        1,
        7,
        2,
        min_bet=limits[0],
        max_bet=limits[1],
        closed=situation.closed,
        expired=situation.expired,
        player_blocked=situation.blocked,
        provider_suspended=situation.suspended,
        max_win=None if situation.win_within else situation.win - OTHER,
    )
    call = situation.call(
        *(1, "s", 7, "b", "round" if situation.same_round else "another"),
        stake=situation.stake if situation.call.has_stake else None,
        win=situation.win if situation.call.has_win else None,
    )
    bet = recorded_bet(situation.row, situation.call, situation.first_stake)
    return bet, Account(7, balance, 3), session, call


def recorded_bet(row: TableRow, call: type[BetCommand], stake: Decimal = STAKE) -> Bet | None:
    """A bet in a row of the table. A rejected one was rejected by this call, where that can be."""
    if row is TableRow.NOT_RECORDED:
        return None
    by = {
        TableRow.SETTLED_BY_ONE: OpenedBy.PAY_IN_OUT,
        TableRow.CANCELLED: OpenedBy.REFUND,
        TableRow.REJECTED: OpenedBy.PAY_IN_OUT if call is PayInOut else OpenedBy.PAY_IN,
    }.get(row, OpenedBy.PAY_IN)
    state = BetState.SETTLED if row.value.startswith("settled") else BetState(row.value)
    has_win = row is TableRow.SETTLED_BY_TWO or by is OpenedBy.PAY_IN_OUT
    return Bet(
        *(1, 1, "b", 7, "s", "round", by, state),
        stake=None if row is TableRow.CANCELLED else stake,
        win=WIN if has_win else None,
        refused_with=5 if row is TableRow.REJECTED else None,
        reason=Reason.ABOVE_LIMIT if row is TableRow.REJECTED else None,
    )


def _is_owed(situation: Situation) -> bool:
    return situation.call is PayInOut and situation.stake == 0


def _take(situation: Situation) -> Expected:
    if situation.late:
        return CONFLICT
    if situation.closed or situation.expired:
        return (3, (), None)
    outside = not situation.within_limits and situation.stake > 0
    above = situation.call.has_win and not situation.win_within
    if situation.blocked or situation.suspended or outside or above:
        return (5, (), BetState.REJECTED)
    if not situation.enough_money and situation.stake > 0:
        return (4, (), BetState.REJECTED)
    stake = (Kind.STAKE, situation.stake)
    if situation.call is PayIn:
        return (1, (stake,), BetState.OPEN)
    return (1, (stake, (Kind.WIN, situation.win)), BetState.SETTLED)


def _take_and_pay(situation: Situation) -> Expected:
    if not _is_owed(situation):
        return _take(situation)
    moves = ((Kind.STAKE, Decimal(0)), (Kind.WIN, situation.win))
    refused = situation.suspended or not situation.win_within
    return (5, (), None) if refused else (1, moves, BetState.SETTLED)


def _pay(situation: Situation) -> Expected:
    if not situation.win_within:
        return (5, (), None)
    return (1, ((Kind.WIN, situation.win),), BetState.SETTLED)


def _reason(situation: Situation, decision: Decision) -> str | None:
    """The reason that a decision of this code must have."""
    if situation.row is TableRow.REJECTED:
        return "above_limit" if decision.code == 5 else None
    if decision.code == 3:
        return "session_closed" if situation.closed else "session_expired"
    if decision.code == 5:
        if situation.row is TableRow.OPEN:
            return "win_above_limit"
        if situation.blocked and not _is_owed(situation):
            return "player_blocked"
        if situation.suspended:
            return "provider_suspended"
        outside = not situation.within_limits and situation.stake > 0
        return "below_limit" if outside else "win_above_limit"
    return None


def _reverse(situation: Situation) -> Expected:
    moves = ((Kind.REFUND, situation.first_stake), (Kind.WIN_REVERSAL, WIN))
    return (1, moves, BetState.REFUNDED) if situation.enough_money else CONFLICT


def _zero_mark(state: BetState | None) -> Expected:
    return (1, ((Kind.REFUND, Decimal(0)),), state)


def _same(code: int) -> Callable[[Situation], Expected]:
    """Same data; a round is compared only where a stake is repeated."""

    def expected(situation: Situation) -> Expected:
        same_round = situation.same_round or situation.call is PayOut
        return (code, (), None) if situation.same_data and same_round else CONFLICT

    return expected


#: What each text of the document means, told independently of the code.
EXPECTED: dict[str, Callable[[Situation], Expected]] = {
    (
        "take → `open`; refused with 4 or 5 → `rejected`; with 3, or 7 in a finished round, not"
        " recorded"
    ): _take,
    (
        "take and pay in one atomic step → `settled`; refusals as pay-in, and 5 for a win above a"
        " limit; a win without a stake is refused only for a suspension or a limit of wins: 5, not"
        " recorded"
    ): _take_and_pay,
    REVERSE: _reverse,
    "pay → `settled`; a win above a limit is refused: 5, not recorded, stays `open`": _pay,
    "give back → `refunded`": (
        lambda case: (1, ((Kind.REFUND, case.first_stake),), BetState.REFUNDED)
    ),
    "1, tombstone → `cancelled`": lambda _: _zero_mark(BetState.CANCELLED),
    "1, a zero mark (a repeat gives the first mark's id), stays `rejected`": (
        lambda _: _zero_mark(None)
    ),
    "1, the first id": lambda _: (1, (), None),
    "same data: 1; else 7": _same(1),
    "same call, same data: the recorded code, for ever; else 7": _same(5),
    "6, not recorded": lambda _: (6, (), None),
    "7": lambda _: CONFLICT,
}
