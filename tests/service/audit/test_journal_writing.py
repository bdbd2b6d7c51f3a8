"""What is written to the journal: one row per batch, on a strand of the writer's own."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.errors import IntegrityError
from psycopg.types.json import Jsonb

from models.audit.adopt import Adopted, adopt
from models.audit.records import (
    AUDIT_ENTRY,
    REJECTED_BET,
    TRANSFER,
    Entry,
    bet_line,
    entry_line,
    transfer_line,
)
from models.audit.verify import Vouched
from models.errors import LedgerUnavailable
from models.ledger.state import Bet, BetState, Kind, Moment, OpenedBy, Transfer
from models.reason import Reason
from tests.service.support.journaled_ledger import (
    EDITED,
    bet,
    ledger_of,
    problems,
    verified,
)
from tests.service.support.keys import AUTHOR, JOURNAL
from tests.service.support.ledger_copy import LedgerCopy
from tests.service.support.ledger_world import apply, end_sessions, ledger_on, new_players
from tests.service.support.world import World

NUMBERS = st.integers(1, 2**62)
AMOUNTS = st.decimals(0, 10**14, places=6, allow_nan=False)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
IN_SQL = f"""
    select {TRANSFER.line} from jsonb_populate_record(null::transfer, %s) t
    left join jsonb_populate_record(null::bet, %s) b on b.id = t.bet
"""  # noqa: S608
BET_IN_SQL = f"select {REJECTED_BET.line} from jsonb_populate_record(null::bet, %s) r"  # noqa: S608
ENTRY_IN_SQL = f"select {AUDIT_ENTRY.line} from jsonb_populate_record(null::audit_log, %s) e"  # noqa: S608
MAYBE = AMOUNTS | st.none()
REASONS = st.sampled_from(Reason) | st.none()
MOMENT = Moment("1767225600000001", "2026-01-01")


def test_what_is_in_no_row_can_be_adopted_and_is_then_vouched_for(journaled: LedgerCopy) -> None:
    journaled.move(7, None, [("deposit", "1"), ("deposit", "2")])
    before = problems(journaled)

    counted = adopt(journaled.url, JOURNAL.current, AUTHOR, only_count=True)
    assert problems(journaled) == before
    assert len(before) == 2
    assert adopt(journaled.url, JOURNAL.current, AUTHOR) == counted == Adopted(2, 7, 8)
    assert adopt(journaled.url, JOURNAL.current, AUTHOR) == Adopted(0, None, None)
    assert problems(journaled) == []

    journaled.damage("update transfer set created_at = now() where id = 8")
    assert problems(journaled) == [EDITED.format(8, 1)]


def test_a_batch_that_records_nothing_writes_no_row(journaled: LedgerCopy) -> None:
    with ledger_of(journaled) as ledger:
        ledger.apply([bet("one 1")], lambda _: True, 5)

    assert verified(journaled).journal == Vouched(rows=5, strands=3, entries=15)


@pytest.mark.parametrize("next_records_nothing", [False, True])
def test_after_a_commit_that_may_or_may_not_have_been_a_new_strand_begins(
    ledger_world: World, next_records_nothing: bool
) -> None:
    [player] = new_players(ledger_world)
    rows = (
        "select strand, number from journal where transfers && (select array_agg(id) from transfer"
        " where account = %s and kind = 'stake') order by created_at"
    )

    def lost(_: int) -> bool:
        assert end_sessions(ledger_world) == 1
        return True

    with ledger_on(ledger_world) as ledger:
        first_bet = player.bet(1)
        ledger.apply([first_bet], lambda _: True, 5)
        ledger.apply([player.bet(1)], lambda _: True, 5)
        with pytest.raises(LedgerUnavailable):
            ledger.apply([player.bet(1)], lost, 5)
        if next_records_nothing:  # and writes no row: that of the lost batch is not to follow
            ledger.apply([first_bet], lambda _: True, 5)
        ledger.apply([player.bet(1)], lambda _: True, 5)

    (first, one), (same, two), (other, again) = ledger_world.rows(rows, player.account_id)
    assert (one, two, again) == (1, 2, 1)
    assert first == same != other


def test_workers_do_not_wait_for_each_others_strands(ledger_world: World) -> None:
    one, other = new_players(ledger_world, count=2)

    def meanwhile(_: int) -> bool:
        assert apply(ledger_world, other.bet(1))[0].code == 1
        return True

    with ledger_on(ledger_world) as ledger:
        outcome = ledger.apply([one.bet(1)], meanwhile, 5)[0]

    assert outcome is not None
    assert outcome.code == 1


def test_a_ledger_without_a_key_does_not_write(ledger_world: World) -> None:
    [player] = new_players(ledger_world)
    with ledger_on(ledger_world) as ledger:
        ledger._strand = None

        with pytest.raises(ValueError, match="key"):
            ledger.apply([player.bet(1)], lambda _: True, 5)


@pytest.mark.parametrize("table", ["journal", "journal_start"])
@pytest.mark.parametrize(
    "change", ["update {} set created_at = now()", "delete from {}", "truncate {}"]
)
def test_the_journal_is_append_only_too(ledger_world: World, table: str, change: str) -> None:
    with pytest.raises(IntegrityError, match=f"{table} are append-only"):
        ledger_world.execute(change.format(table))


@settings(max_examples=60, deadline=None)
@given(st.builds(dict, bet_id=TEXTS, amount=AMOUNTS, id=NUMBERS, account=NUMBERS))
def test_a_transfer_is_the_same_text_in_memory_and_in_sql(
    ledger_world: World, values: dict[str, object]
) -> None:
    amount, id_ = Decimal(str(values["amount"])), int(str(values["id"]))
    text, account = str(values["bet_id"]), int(str(values["account"]))
    of = Bet(5, 6, text, account, "s", None, OpenedBy.PAY_IN, BetState.OPEN, amount)
    stake = Transfer(id_, Kind.STAKE, account, 7, amount, 1, amount, of)
    deposit = Transfer(id_, Kind.DEPOSIT, account, 7, amount, 1, amount, None, text)

    for transfer in (stake, deposit):
        row = {
            "id": id_,
            "bet": 5 if transfer.bet else None,
            "kind": transfer.kind,
            "debit_account": transfer.debit_account_id,
            "credit_account": transfer.credit_account_id,
            "amount": str(amount),
            "account": account,
            "account_seq": 1,
            "balance_after": str(amount),
            "reference": transfer.reference,
            "month": "2026-01-01",
            "created_at": "2026-01-01T00:00:00.000001Z",
        }
        of_bet = {"id": 5, "provider_id": 6, "bet_id": text} if transfer.bet else {}
        [(found,)] = ledger_world.rows(IN_SQL, Jsonb(row), Jsonb(of_bet))
        assert found == transfer_line(transfer, MOMENT)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS | st.none(), MAYBE, MAYBE, REASONS, NUMBERS)
def test_a_rejected_bet_is_the_same_text_in_memory_and_in_sql(
    ledger_world: World,
    bet_id: str,
    round_id: str | None,
    win: Decimal | None,
    odd: Decimal | None,
    reason: Reason | None,
    id_: int,
) -> None:
    stake = Decimal("10.50")
    rejected = Bet(id_, 6, bet_id, 7, "a|1:b", round_id, OpenedBy.PAY_IN, BetState.REJECTED, stake)
    rejected.win, rejected.odd, rejected.refused_with = win, odd, 5
    rejected.reason = reason
    row = {
        "id": id_,
        "provider_id": 6,
        "bet_id": bet_id,
        "account_id": 7,
        "session_id": "a|1:b",
        "round_id": round_id,
        "opened_by": "pay_in",
        "state": "rejected",
        "stake": "10.5",
        "win": None if win is None else str(win),
        "odd": None if odd is None else str(odd),
        "refused_with": 5,
        "reason": reason,
        "created_at": "2026-01-01T00:00:00.000001Z",
    }

    [(found,)] = ledger_world.rows(BET_IN_SQL, Jsonb(row))

    assert found == bet_line(rejected, MOMENT)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, TEXTS | st.none(), st.dictionaries(TEXTS, TEXTS), NUMBERS)
def test_an_audit_entry_is_the_same_text_in_memory_and_in_sql(
    ledger_world: World,
    actor: str,
    subject: str,
    note: str | None,
    facts: dict[str, str],
    id_: int,
) -> None:
    entry = Entry(id_, actor, "player.added", "player", subject, facts, note)
    row = {
        "id": id_,
        "created_at": "2026-01-01T00:00:00.000001Z",
        "actor": actor,
        "action": "player.added",
        "subject_table": "player",
        "subject": subject,
        "facts": facts,
        "note": note,
    }

    [(found,)] = ledger_world.rows(ENTRY_IN_SQL, Jsonb(row))

    assert found == entry_line(entry, MOMENT.micros)
