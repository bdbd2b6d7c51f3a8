"""The journal vouches for finished rounds. Whoever opens or ends one in the database is found."""

from decimal import Decimal

import psycopg
import pytest

from models.audit.adopt import adopt
from models.audit.seal import make_seal, read_seal, write_seal
from models.audit.verify import verify
from models.commands import BetCommand, PayIn, PayInOut, PayOut
from tests.service.audit.audited_ledger import select
from tests.service.support.journaled_ledger import ledger_of, problems
from tests.service.support.keys import AUTHOR, JOURNAL, OPERATOR
from tests.service.support.ledger_copy import ANN, LedgerCopy

PLACE = (1, "session-1", ANN)
LATE = (
    'Bet row {} ("late") took a stake (transfer {}) in the round "r", which was finished before'
    " that."
)
INSERTED = (
    "Finished round {} is in no row of the journal: it was inserted, or a worker of a version"
    " without a journal wrote it."
)


def pay_in(bet_id: str, round_id: str) -> PayIn:
    return PayIn(*PLACE, bet_id, round_id, stake=Decimal(1))


def pay_out(bet_id: str) -> PayOut:
    """A pay-out that finishes its round."""
    return PayOut(*PLACE, bet_id, win=Decimal(2), round_finished=True)


def applied(ledger_copy: LedgerCopy, *commands: BetCommand) -> list[int | None]:
    with ledger_of(ledger_copy) as ledger:
        outcomes = ledger.apply(commands, lambda _: True, 5)
    return [None if outcome is None else int(outcome.code) for outcome in outcomes]


@pytest.fixture
def finished(journaled: LedgerCopy) -> LedgerCopy:
    """Ann has the finished rounds `r` and `Zürich|;`, and a win without a stake after that."""
    played = [pay_in("a", "r"), pay_in("b", "r"), pay_in("c", "Zürich|;"), pay_out("a")]
    assert applied(journaled, *played) == [1, 1, 1, 1]
    prize = PayInOut(*PLACE, "prize", "r", stake=Decimal(0), win=Decimal(3))
    assert applied(journaled, pay_out("c"), prize) == [1, 1]
    assert problems(journaled) == []
    return journaled


def round_ids(ledger_copy: LedgerCopy) -> list[int]:
    found = select(ledger_copy, "select id from finished_round order by created_at")
    return [id_ for (id_,) in found]


def test_a_round_that_was_opened_again_is_named_and_so_is_the_stake_that_it_took(
    finished: LedgerCopy,
) -> None:
    id_, _ = round_ids(finished)
    with psycopg.connect(finished.url) as database:
        database.execute("create table kept as select * from finished_round")
        database.execute("delete from finished_round where id = %s", (id_,))

    deleted = f"Finished round {id_} was deleted: row 1 of journal strand S has it."
    assert problems(finished) == [deleted]
    assert applied(finished, pay_in("late", "r")) == [1]
    assert problems(finished) == [deleted]

    with psycopg.connect(finished.url) as database:  # who hides what was done
        database.execute("insert into finished_round select * from kept where id = %s", (id_,))
    [(bet, transfer)] = select(
        finished, "select b.id, t.id from bet b join transfer t on t.bet = b.id and bet_id = 'late'"
    )
    assert problems(finished) == [LATE.format(bet, transfer)]
    assert verify(finished.url).problems == (LATE.format(bet, transfer),)  # without the journal


def test_a_round_that_somebody_ended_is_named(finished: LedgerCopy) -> None:
    with psycopg.connect(finished.url) as database:
        database.execute(
            "insert into finished_round (account_id, provider_id, round_id, id)"
            " values (4, 1, 'by hand', 77), (4, 1, 'below', -5), (5, 1, 'nameless', null)"
        )

    *named, nameless = problems(finished)
    assert sorted(named) == [INSERTED.format(-5), INSERTED.format(77)]
    assert nameless.startswith("Nothing vouches for 1 finished rounds older than the journal.")


def test_a_round_that_was_edited_in_any_column_is_named(finished: LedgerCopy) -> None:
    id_, _ = round_ids(finished)
    edited = f"Finished round {id_} was edited: it is not as row 1 of journal strand S has it."
    for change in (
        "account_id = 5",
        "provider_id = 2",
        "round_id = 'another'",
        "account_seq = account_seq + 1",
        "account_seq = null",
        "created_at = created_at - interval '1 microsecond'",
    ):
        damage = f"update finished_round set {change} where id = {id_}"  # noqa: S608
        with finished.damaged("finished_round", damage):
            assert edited in problems(finished), change


def test_a_batch_that_only_finishes_a_round_is_vouched_for(journaled: LedgerCopy) -> None:
    """A repeat with the flag moves nothing, and finishes the round of a call that had none."""
    plain = PayOut(*PLACE, "a", win=Decimal(2))
    assert applied(journaled, pay_in("a", "r"), plain) == [1, 1]

    assert applied(journaled, pay_out("a"), pay_out("a")) == [1, 1]
    assert applied(journaled, pay_out("a")) == [1]

    sizes = "select cardinality(transfers), cardinality(rounds) from journal"
    assert select(journaled, f"{sizes} where rounds is not null") == [(0, 1)]
    assert problems(journaled) == []


def test_a_seal_shows_that_the_end_of_a_round_was_cut_off(finished: LedgerCopy) -> None:
    assert applied(finished, pay_in("x", "y")) == [1]
    assert applied(finished, PayOut(*PLACE, "x", win=Decimal(0))) == [1]
    assert applied(finished, PayOut(*PLACE, "x", win=Decimal(0), round_finished=True)) == [1]
    seal = make_seal(finished.url, JOURNAL, OPERATOR)
    seal = read_seal(write_seal(seal, JOURNAL.current), JOURNAL)
    assert problems(finished, seal=seal) == []
    *_, id_ = round_ids(finished)

    finished.damage(
        f"delete from journal where rounds = array[{id_}]::bigint[]",  # noqa: S608
        f"delete from finished_round where id = {id_}",  # noqa: S608
    )

    assert problems(finished) == []  # only a seal can tell
    assert (
        f"Finished round {id_} was deleted: row 1 of journal strand S had it when that was sealed."
        in problems(finished, seal=seal)
    )


def test_a_game_that_a_bet_cannot_have_is_named(finished: LedgerCopy) -> None:
    finished.damage(
        "update session set game = 'crash'", "update bet set game = 'poker' where bet_id = 'a'"
    )
    found = problems(finished)
    [(bet,)] = select(finished, "select id from bet where bet_id = 'a'")
    assert (
        f'Bet row {bet} ("a") has the game "poker", but its session was opened for the game'
        ' "crash".' in found
    )


def test_rounds_of_an_older_version_are_counted_until_they_are_adopted(
    journaled: LedgerCopy,
) -> None:
    """Its workers name no id, as before the migration."""
    with psycopg.connect(journaled.url) as database:
        database.execute(
            "insert into finished_round (account_id, provider_id, round_id)"
            " select 4, 1, 'old ' || n from generate_series(1, 3) n"
        )
    assert "3 finished rounds older than the journal" in " ".join(problems(journaled))
    assert adopt(journaled.url, JOURNAL.current, AUTHOR, only_count=True).rounds == 3
    sealed = make_seal(journaled.url, JOURNAL, OPERATOR)
    assert problems(journaled, seal=sealed) == []
    assert read_seal(write_seal(sealed, JOURNAL.current), JOURNAL).older.rounds == 3

    assert adopt(journaled.url, JOURNAL.current, AUTHOR).rounds == 3
    assert problems(journaled) == []
    with psycopg.connect(journaled.url) as database:  # a worker of the older version ends another
        database.execute(
            "insert into finished_round (account_id, provider_id, round_id) values (4, 1, 'more')"
        )
    assert adopt(journaled.url, JOURNAL.current, AUTHOR).rounds == 1
    assert adopt(journaled.url, JOURNAL.current, AUTHOR).rounds == 0
    assert sorted(round_ids(journaled)) == [-4, -3, -2, -1]
    with journaled.damaged("finished_round", "delete from finished_round where id = -2"):
        assert [one for one in problems(journaled) if "round -2 was deleted" in one]
