"""The journal: a transfer that somebody edited, deleted or inserted is detected and named."""

from dataclasses import replace

import psycopg
import pytest

from models.audit.facts import SUBJECTS
from models.audit.invariants import INVARIANTS
from models.audit.journal import Head, Strand, row_hmac
from models.audit.records import KINDS, TRANSFER, Records
from models.audit.verify import Asked, Vouched, verify
from models.keys import Key, KeyRing, Purpose
from tests.service.support.journaled_ledger import (
    DELETED,
    EDITED,
    UNKNOWN,
    of_journal,
    problems,
    verified,
)
from tests.service.support.keys import HEX, JOURNAL, OPERATOR
from tests.service.support.ledger_copy import LedgerCopy

OTHER = Key(Purpose.JOURNAL, b"another key that is long enough, too")
INSERT_1009 = """
    insert into transfer
    select 1009, bet, 'refund', credit_account, debit_account, amount, account, 99, balance_after,
           reference, month, created_at from transfer where id = 1007
"""
ORPHAN = (
    "Row 3 of journal strand S cannot be verified without the row before it; it has transfers"
    " 1013, 1014, 1016, 1017."
)
LINES_OF = f"""
    select {TRANSFER.line} from transfer t left join bet b on b.id = t.bet
    where t.id = any(%s) order by t.id
"""  # noqa: S608
FORGE = """
    insert into journal (strand, number, key, transfers, fingerprints, hmac, created_at)
    values (%s, 1, %s, %s, %s, %s, 'epoch')
"""


def test_a_ledger_that_nobody_touched_is_vouched_for(journaled: LedgerCopy) -> None:
    report = verified(journaled)

    assert report.problems == ()
    assert report.journal == Vouched(rows=5, strands=3, entries=15)


def test_a_long_verification_tells_how_far_it_is(
    journaled: LedgerCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.audit.journal_check._ROWS_PER_STAGE", 3)
    stages: list[str] = []

    verify(journaled.url, asked=Asked(JOURNAL, OPERATOR), on_stage=stages.append)

    assert stages == [
        *("counting", *INVARIANTS),
        *[f"{subject.plural} as the audit log has them" for subject in SUBJECTS],
        *("journal, 0 of 5 rows", "journal, 3 of 5 rows"),
        *[f"{kind.plural} in no row of the journal" for kind in KINDS],
    ]


@pytest.mark.parametrize(
    "edit",
    [
        "amount = amount + 1",
        "amount = amount + 0.000000000000000001",
        "kind = 'win_reversal'",
        "debit_account = 5",
        "credit_account = 3",
        "account = 5",
        "account_seq = 99",
        "balance_after = 0",
        "reference = 'r'",
        "reference = ''",
        "month = month + 1",
        "created_at = created_at + '1 microsecond'",
        "bet = null",
        "bet = 1000",
    ],
)
def test_a_transfer_that_was_edited_in_any_column_is_named(
    journaled: LedgerCopy, edit: str
) -> None:
    journaled.damage(
        "alter table transfer drop constraint transfer_kind_once",
        f"update transfer set {edit} where id = 1007",  # noqa: S608
    )

    assert of_journal(journaled) == [EDITED.format(1007, 2)]


@pytest.mark.parametrize(
    "edit", ["bet_id = 'another'", "provider_id = 2", "bet_id = bet_id || ' '"]
)
def test_the_transfers_of_a_bet_that_was_given_another_name_are_named(
    journaled: LedgerCopy, edit: str
) -> None:
    journaled.damage(f"update bet set {edit} where id = 1006")  # noqa: S608

    assert of_journal(journaled) == [EDITED.format(1007, 2), EDITED.format(1008, 2)]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (["delete from transfer where id = 1010"], [DELETED.format(1010, 2)]),
        (["delete from transfer where id = 3"], [DELETED.format(3, 1)]),
        ([INSERT_1009], [UNKNOWN.format(1009)]),
        (
            [
                "update transfer set id = 0 where id = 1008",
                "update transfer set id = 1008 where id = 1011",
                "update transfer set id = 1011 where id = 0",
            ],
            [EDITED.format(1008, 2), EDITED.format(1011, 2)],
        ),
        (
            ["update transfer set id = 1009 where id = 1008"],
            [DELETED.format(1008, 2), UNKNOWN.format(1009)],
        ),
    ],
    ids=["deleted", "deleted, of an adopted row", "inserted", "swapped", "given another id"],
)
def test_what_was_done_to_a_transfer_is_said(
    journaled: LedgerCopy, damage: list[str], named: list[str]
) -> None:
    journaled.damage(*damage)

    assert of_journal(journaled) == named


@pytest.mark.parametrize(
    ("edit", "transfers"),
    [
        ("hmac = sha256('')", "1007, 1008, 1010, 1011"),
        ("created_at = created_at + '1 microsecond'", "1007, 1008, 1010, 1011"),
        ("fingerprints = fingerprints || 'x'", "1007, 1008, 1010, 1011"),
        ("transfers = transfers || 1::bigint", "1007, 1008, 1010, 1011, 1"),
    ],
)
def test_a_row_of_the_journal_that_was_edited_is_named(
    journaled: LedgerCopy, edit: str, transfers: str
) -> None:
    journaled.damage(f"update journal set {edit} where number = 2")  # noqa: S608

    named = [problem for problem in of_journal(journaled) if "ow 2 of" in problem]
    assert named == [_forged(2, transfers)]


def test_a_row_of_the_journal_that_was_deleted_is_missed_with_all_its_transfers(
    journaled: LedgerCopy,
) -> None:
    journaled.damage("delete from journal where number = 2")

    assert problems(journaled) == [
        "Journal strand S: row 2 is missing.",
        ORPHAN,
        *[UNKNOWN.format(id_) for id_ in (1007, 1008, 1010, 1011)],
    ]


def test_a_row_that_was_forged_without_the_key_vouches_for_nothing(journaled: LedgerCopy) -> None:
    journaled.damage(INSERT_1009)

    _forge(journaled, OTHER, [1009])

    assert of_journal(journaled) == [_forged(1, "1009")]


def test_a_row_vouches_for_the_one_before_it_too(journaled: LedgerCopy) -> None:
    """Row 2 is made anew with the key, as by a ledger that was put back and went on otherwise."""
    with psycopg.connect(journaled.url) as connection:
        found = connection.execute(
            "select b.strand, b.hmac, a.transfers, a.fingerprints from journal a"
            " join journal b using (strand) where a.number = 2 and b.number = 1"
        )
        [(strand, mac, ids, prints)] = found.fetchall()
        lines = connection.execute(LINES_OF.encode(), [ids]).fetchall()
    text = "".join([line for (line,) in lines])
    anew = row_hmac(JOURNAL.current, Head(strand, 1, mac), "0", prints, text, Records(ids)).hex()
    journaled.damage(
        f"update journal set hmac = '\\x{anew}', created_at = 'epoch' where number = 2"  # noqa: S608
    )

    assert problems(journaled) == [_forged(3, "1013, 1014, 1016, 1017")]


def test_a_transfer_that_two_rows_vouch_for_is_named(journaled: LedgerCopy) -> None:
    _forge(journaled, JOURNAL.current, [1001, 1002])

    assert problems(journaled) == [
        f"Transfer {id_} is in 2 rows of the journal, but should be in one." for id_ in (1001, 1002)
    ]


def test_rows_of_a_replaced_key_are_verified_with_it_and_not_without(journaled: LedgerCopy) -> None:
    fresh = "ab" * 32

    assert (
        problems(journaled, KeyRing.read(Purpose.JOURNAL, fresh, f" {HEX[Purpose.JOURNAL]}, "))
        == []
    )
    [problem] = problems(journaled, KeyRing.read(Purpose.JOURNAL, fresh))
    assert problem == (
        f"17 records are in rows of the journal that were made with the key {JOURNAL.current.id},"
        " which was not given (BETCORE_JOURNAL_KEYS_OLD, BETCORE_OPERATOR_KEYS_OLD): they are not"
        " verified."
    )


def _forged(row: int, transfers: str) -> str:
    return (
        f"Row {row} of journal strand S was edited or forged: nothing vouches for its transfers"
        f" {transfers}."
    )


def _forge(journaled: LedgerCopy, key: Key, ids: list[int]) -> None:
    """Add a row of a new strand, made with `key`, that says it was made with ours."""
    with psycopg.connect(journaled.url) as connection:
        found = connection.execute(LINES_OF.encode(), [ids]).fetchall()
        made = Strand(key).append(Records(ids), [text for (text,) in found], "0")
        row = replace(made, key=JOURNAL.current.id)
        connection.execute(FORGE, [row.strand, row.key, ids, row.fingerprints, row.hmac])
