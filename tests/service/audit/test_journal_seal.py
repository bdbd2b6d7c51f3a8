"""Seals of the journal: they reveal truncation that leaves no other trace."""

import json

import pytest

from models.audit.seal import BadSeal, Seal, _hmac, read_seal, write_seal
from models.keys import Key, KeyRing, Purpose
from tests.service.support.journaled_ledger import bet, ledger_of, problems, sealed, verified
from tests.service.support.keys import JOURNAL
from tests.service.support.ledger_copy import LedgerCopy

OTHER = Key(Purpose.JOURNAL, b"another key that is long enough, too")
#: What is given once the key was replaced.
REPLACED = KeyRing(OTHER, {OTHER.id: OTHER, JOURNAL.current.id: JOURNAL.current})


def test_a_tail_that_was_cut_off_without_a_trace_is_missed_by_the_seal(
    journaled: LedgerCopy,
) -> None:
    seal = read_seal(write_seal(sealed(journaled), JOURNAL.current), JOURNAL)
    assert problems(journaled, seal=seal) == []

    journaled.damage(
        "delete from journal where number = 3",
        "delete from transfer where id > 1011",
        "delete from bet where id > 1011",
        "update account set (balance, last_seq) = (select balance_after, account_seq"
        " from transfer order by id desc limit 1) where id = 4",
    )

    assert problems(journaled) == []
    assert problems(journaled, seal=seal) == [
        "Journal strand S was sealed with 3 rows, but has 2: its tail was cut off.",
        *[
            f"Transfer {id_} was deleted: row 3 of journal strand S had it when that was sealed."
            for id_ in (1013, 1014, 1016, 1017)
        ],
    ]


def test_a_strand_that_was_cut_and_goes_on_differently_is_missed_by_the_seal(
    journaled: LedgerCopy,
) -> None:
    seal = sealed(journaled)
    with ledger_of(journaled) as ledger:
        ledger.apply([bet("later")], lambda _: True, 5)
    assert problems(journaled, seal=seal) == []

    journaled.damage("update journal set hmac = sha256('') where number = 3")

    assert "Journal strand S: row 3 is not the one that was sealed." in problems(
        journaled, seal=seal
    )


def test_transfers_that_are_made_to_look_older_than_the_journal_are_missed_by_the_seal(
    journaled: LedgerCopy,
) -> None:
    seal = sealed(journaled)
    journaled.damage("update journal_start set transfer_id = 2000", "delete from journal")

    found = verified(journaled).journal
    assert found is not None
    assert (found.rows, found.unvouched.transfers) == (0, 17)
    assert (
        "17 transfers are said to be older than what vouches for them, but 0 were at the time of"
        " the seal."
    ) in problems(journaled, seal=seal)


def test_what_a_replaced_key_signs_after_the_seal_is_named(journaled: LedgerCopy) -> None:
    """As by a thief of it: in a strand of its own, or behind what was sealed of another."""
    with ledger_of(journaled) as old, ledger_of(journaled, OTHER) as new:
        old.apply([bet("sealed")], lambda _: True, 5)
        seal = read_seal(write_seal(sealed(journaled, REPLACED), OTHER), REPLACED)
        new.apply([bet("honest")], lambda _: True, 5)
        assert problems(journaled, REPLACED, seal) == []

        old.apply([bet("behind", win="3")], lambda _: True, 5)
    with ledger_of(journaled) as another:
        another.apply([bet("apart", win="3")], lambda _: True, 5)

    assert problems(journaled, REPLACED) == []
    assert sorted(problems(journaled, REPLACED, seal)) == [
        f"Row {row} of journal strand S was made with the key {JOURNAL.current.id}, which had been"
        f" replaced when the seal was made: nothing vouches for its transfers {ids}."
        for row, ids in ((1, "4001, 4002"), (2, "2004, 2005"))
    ]


def test_a_seal_of_before_the_key_was_replaced_says_nothing_of_keys(journaled: LedgerCopy) -> None:
    seal = sealed(journaled)
    for key in (JOURNAL.current, OTHER):
        with ledger_of(journaled, key) as ledger:
            ledger.apply([bet(f"later, with {key.id}")], lambda _: True, 5)

    assert problems(journaled, REPLACED, seal) == []


def test_a_key_that_was_replaced_twice_still_signs_nothing(journaled: LedgerCopy) -> None:
    third = Key(Purpose.JOURNAL, b"a third key, and that is long enough")
    with ledger_of(journaled, OTHER) as second:
        second.apply([bet("honest")], lambda _: True, 5)
        seal = read_seal(write_seal(sealed(journaled, REPLACED), OTHER), REPLACED)
        second.apply([bet("honest, too")], lambda _: True, 5)
    with ledger_of(journaled) as first:
        first.apply([bet("forged", win="3")], lambda _: True, 5)
    keys = KeyRing(third, {**REPLACED.by_id, third.id: third})

    [found] = problems(journaled, keys, seal)

    assert f"was made with the key {JOURNAL.current.id}, which had been replaced" in found


def test_a_seal_of_another_version_is_said_to_be_one(journaled: LedgerCopy) -> None:
    document = write_seal(sealed(journaled), JOURNAL.current)

    with pytest.raises(BadSeal, match="version 4"):
        read_seal(document.replace('"version": 3', '"version": 4'), JOURNAL)


def test_a_seal_of_the_first_version_still_counts(journaled: LedgerCopy) -> None:
    """It knew nothing of bets and facts: it covers none, and complains of none."""
    seal = sealed(journaled)
    document = json.loads(write_seal(seal, JOURNAL.current))
    document |= {"version": 1, "beforeJournal": 0}
    for name in ("hmac", "older"):
        del document[name]
    for head in document["heads"]:
        del head["bets"], head["entries"]
    text = json.dumps(document | {"hmac": _hmac(document, JOURNAL.current.secret)})
    first = read_seal(text, JOURNAL)
    assert problems(journaled, seal=first) == []

    journaled.damage("truncate audit_log, journal", "update audit_start set until = 10000")

    assert "Journal strand S was sealed with 3 rows, but has 0: its tail was cut off." in problems(
        journaled, seal=first
    )
    assert "Nothing vouches for" in "".join(problems(journaled, seal=first))
    assert "are said to be older" not in "".join(problems(journaled, seal=first))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"version": 1}', "\udcff"],
)
def test_what_is_no_seal_is_refused(text: str) -> None:
    with pytest.raises(BadSeal):
        read_seal(text, JOURNAL)


def test_a_seal_that_was_edited_or_made_without_the_key_is_refused(journaled: LedgerCopy) -> None:
    document = write_seal(sealed(journaled), JOURNAL.current)
    forged = write_seal(sealed(journaled, REPLACED), OTHER)

    with pytest.raises(BadSeal, match="edited"):
        read_seal(document.replace('"number": 3', '"number": 2'), JOURNAL)
    with pytest.raises(BadSeal, match="key"):
        read_seal(forged, JOURNAL)
    with pytest.raises(BadSeal, match="edited"):
        read_seal(forged.replace(OTHER.id, JOURNAL.current.id), JOURNAL)
    assert isinstance(read_seal(document, JOURNAL), Seal)
