"""Administrative facts changed by somebody who has the database but not the keys."""

from decimal import Decimal

import pytest

from models.audit.adopt import Adopted, adopt
from models.audit.log import Author, operation
from models.audit.verify import Asked, verify
from models.commands import Deposit
from models.directory.sessions import close_session
from tests.service.audit.audited_ledger import AUTHOR, UNREVOKE, select
from tests.service.support.journaled_ledger import ledger_of, problems, sealed
from tests.service.support.keys import JOURNAL, OPERATOR
from tests.service.support.ledger_copy import LedgerCopy

IN_NO_ENTRY = (
    "{} is in no entry of the audit log: it was inserted, or a version without an audit log made"
    " it."
)
EDITED = "Audit entry {} was edited: it is not as row {} of journal strand S has it."
DELETED = "Audit entry {} was deleted: row {} of journal strand S has it."
INSERTED = "Audit entry {} is in no row of the journal: it was inserted."
UNBLOCK = (
    "insert into audit_log (id, actor, action, subject_table, subject, facts) values"
    " ((select max(id) + 1 from audit_log), 'root', 'player.unblocked', 'player', '2',"
    """ '{"status": "active"}')"""
)
LAST = "where entries is not null and number = 4"
ENTRIES_OF_LAST = f"select unnest(entries) from journal {LAST}"  # noqa: S608


def test_a_ledger_that_operators_and_workers_made_is_vouched_for(audited: LedgerCopy) -> None:
    report = verify(audited.url, asked=Asked(JOURNAL, OPERATOR))

    assert report.problems == ()
    assert report.journal is not None
    assert report.journal.unvouched.total == 0
    assert adopt(audited.url, JOURNAL.current, AUTHOR) == Adopted(0)


def test_accounts_whose_owners_were_swapped_are_named(audited: LedgerCopy) -> None:
    """As by somebody who wants to withdraw what is another's; balances still agree."""
    seal = sealed(audited)
    audited.damage(
        "alter table account drop constraint account_of_player_once",
        "update account set player_id = 3 - player_id where kind = 'player'",
    )

    assert verify(audited.url).ok
    named = [
        f"Account {account} was changed: externalId is {now}, but the audit log says {then};"
        for account, now, then in ((3, "Bob", "Ann"), (4, "Ann", "Bob"))
    ]
    for found in (problems(audited), problems(audited, seal=seal)):
        assert sorted(problem.partition(" player is")[0] for problem in found) == named


@pytest.mark.parametrize(
    ("table", "damages"),
    [
        (
            "currency",
            {
                "update currency set decimals = 3 where code = 'EUR'": (
                    "Currency EUR was changed: decimals is 3, but the audit log says 2."
                ),
                "insert into currency values ('GOLD', 4)": IN_NO_ENTRY.format("Currency GOLD"),
                "delete from currency where code = 'USDT'": (
                    "Currency USDT was deleted: the audit log has it."
                ),
            },
        ),
        (
            "provider",
            {
                "update provider set status = 'active'": (
                    "Provider 2 was changed: status is active, but the audit log says suspended."
                ),
                "update provider set counterparty_id = 'mine' where id = 1": (
                    "Provider 1 was changed: counterpartyId is mine, but the audit log says "
                ),
                "update provider set name = 'Mine' where id = 1": (
                    "Provider 1 was changed: name is Mine, but the audit log says First."
                ),
                "insert into provider (id, counterparty_id, name, status)"
                " values (3, 'm', 'Mine', 'active')": IN_NO_ENTRY.format("Provider 3"),
                "delete from provider where id = 2": "Provider 2 was deleted: the audit log has it",
            },
        ),
        (
            "provider_secret",
            {
                UNREVOKE: ("Secret 3 was changed: revokedAt is missing, but the audit log says "),
                "update provider_secret set revoked_at = now() where id = 1": (
                    "Secret 1 was changed: revokedAt is "
                ),
                "update provider_secret set ciphertext = 'known' where id = 1": (
                    "Secret 1 was changed: sha256 is "
                ),
                "update provider_secret set provider_id = 2 where id = 1": (
                    "Secret 1 was changed: provider is 2, but the audit log says 1."
                ),
                "insert into provider_secret (id, provider_id, key, ciphertext)"
                " values (4, 1, 'k', 'known')": IN_NO_ENTRY.format("Secret 4"),
                "delete from provider_secret where id = 3": "Secret 3 was deleted: the audit log",
            },
        ),
        (
            "player",
            {
                "update player set status = 'active'": (
                    "Player 2 was changed: status is active, but the audit log says blocked."
                ),
                "update player set external_id = 'Eve' where id = 1": (
                    "Player 1 was changed: externalId is Eve, but the audit log says Ann."
                ),
                "insert into player (id, external_id, status) values (3, 'Eve', 'active')": (
                    IN_NO_ENTRY.format("Player 3")
                ),
            },
        ),
        (
            "account",
            {
                "update account set kind = 'player' where id = 2": (
                    "Account 2 was changed: kind is player, but the audit log says house."
                ),
                "update account set currency = 'USDT' where id = 4": (
                    "Account 4 was changed: currency is USDT, but the audit log says EUR."
                ),
                "insert into account (id, kind, player_id, currency, balance)"
                " values (9, 'player', 1, 'USDT', 0)": IN_NO_ENTRY.format("Account 9"),
                "delete from account where id = 4": "Account 4 was deleted: the audit log has it.",
            },
        ),
    ],
)
def test_a_fact_that_was_changed_behind_us_is_named(
    audited: LedgerCopy, table: str, damages: dict[str, str]
) -> None:
    for damage, problem in damages.items():
        with audited.damaged(table, damage):
            found = problems(audited)
        assert [one for one in found if one.startswith(problem)], (damage, found)


def test_a_session_that_was_changed_in_any_column_is_named(audited: LedgerCopy) -> None:
    [(session,)] = select(
        audited, "select id from session where account_id = 3 and provider_id = 1"
    )
    for change, said in {
        "max_bet = 1000000": "maxBet is 1000000, but the audit log says 50.5.",
        "min_bet = null": "minBet is missing, but the audit log says 1.",
        "expires_at = expires_at + interval '1 year'": "expiresAt is 2",
        "expires_at = 'infinity'": "expiresAt is missing, but the audit log says 2",
        "opened_at = opened_at - interval '1 microsecond'": "openedAt is 2",
        "account_id = 4": "account is 4, but the audit log says 3.",
        "provider_id = 2": "provider is 2, but the audit log says 1.",
        "closed_at = now()": "closedAt is 2",
    }.items():
        damage = f"update session set {change} where id = '{session}'"  # noqa: S608
        with audited.damaged("session", damage):
            found = problems(audited)
        assert f"Session {session} was changed: {said}" in "".join(found), (change, found)


def test_a_session_that_was_opened_again_is_named_even_when_it_was_closed_later(
    audited: LedgerCopy,
) -> None:
    [(session,)] = select(audited, "select id from session where closed_at is not null")
    audited.damage("update session set closed_at = null")
    assert f"Session {session} was changed: closedAt is missing, but" in problems(audited)[0]

    with operation(audited.url, AUTHOR) as database:
        close_session(database, session)

    assert f"Session {session} was changed: closedAt is 2" in problems(audited)[0]


def test_an_entry_that_was_edited_in_any_column_is_named(audited: LedgerCopy) -> None:
    [(entry,)] = select(audited, "select id from audit_log where action = 'player.blocked'")
    for change in (
        """facts = '{"status": "active"}'""",
        "facts = '{}'",
        "facts = '[]'",
        "actor = 'somebody else'",
        "note = null",
        "note = 'another'",
        "action = 'player.unblocked'",
        "subject = '1'",
        "subject_table = 'account'",
        "created_at = created_at + interval '1 microsecond'",
        "created_at = 'infinity'",
    ):
        edit = f"update audit_log set {change} where id = {entry}"  # noqa: S608
        unchecked = "alter table audit_log drop constraint if exists audit_log_facts_named"
        with audited.damaged("audit_log", unchecked, edit):
            found = problems(audited)
        assert EDITED.format(entry, 4) in found, (change, found)


def test_a_player_who_was_unblocked_with_an_entry_is_named(audited: LedgerCopy) -> None:
    audited.damage("update player set status = 'active'", UNBLOCK)
    [(entry,)] = select(audited, "select max(id) from audit_log")

    assert problems(audited) == [INSERTED.format(entry)]


def test_an_entry_that_was_deleted_is_named(audited: LedgerCopy) -> None:
    [(entry,)] = select(audited, "select id from audit_log where action = 'player.blocked'")
    audited.damage(
        f"delete from audit_log where id = {entry}",  # noqa: S608
        "update player set status = 'active'",
    )

    assert problems(audited) == [DELETED.format(entry, 4)]


def test_a_command_that_was_taken_out_with_its_row_of_the_journal_is_missed(
    audited: LedgerCopy,
) -> None:
    """All operators share one strand: nothing can be taken out of its middle."""
    with operation(audited.url, AUTHOR) as database:
        close_session(database, select(audited, "select min(id) from session")[0][0])
    audited.damage(
        f"delete from audit_log where id in ({ENTRIES_OF_LAST})",  # noqa: S608
        f"delete from journal {LAST}",  # noqa: S608
    )

    assert "Journal strand S: row 4 is missing." in problems(audited)


def test_the_last_commands_are_missed_by_the_seal(audited: LedgerCopy) -> None:
    seal = sealed(audited)
    assert problems(audited, seal=seal) == []

    audited.damage(
        f"delete from audit_log where id in ({ENTRIES_OF_LAST})",  # noqa: S608
        f"delete from journal {LAST}",  # noqa: S608
        "update session set closed_at = null",
        UNREVOKE,
        "update provider set status = 'active'",
        "update player set status = 'active'",
    )

    assert problems(audited) == []
    cut, *gone = problems(audited, seal=seal)
    assert cut == "Journal strand S was sealed with 4 rows, but has 3: its tail was cut off."
    assert {one.partition(" was deleted: row 4 of")[0][:12] for one in gone} == {"Audit entry "}


def test_an_audit_log_that_was_emptied_is_named_with_all_that_it_had(audited: LedgerCopy) -> None:
    [(entries,)] = select(audited, "select max(id) from audit_log")
    audited.damage("truncate audit_log")

    found = problems(audited)

    assert found[0] == "The audit log is empty, although rows must be in it: it was emptied."
    assert DELETED.format(entries, 4) in found
    assert IN_NO_ENTRY.format("Provider 1") in found


def test_one_line_says_that_the_journal_is_empty(audited: LedgerCopy) -> None:
    audited.damage("truncate journal")

    assert problems(audited)[0] == (
        "The journal is empty, although rows must be in it: it was emptied."
    )


def test_facts_that_are_made_to_look_older_than_the_audit_log_are_an_error(
    audited: LedgerCopy,
) -> None:
    seal = sealed(audited)
    audited.damage(
        "truncate journal, audit_log",
        "update audit_start set until = 4611686018427387904",
        "update journal_start set transfer_id = 2000",
    )

    [problem] = problems(audited)
    assert problem == (
        "The journal is empty. The audit log is empty. Nothing vouches for 3 transfers older than"
        " the journal, 1 rejected bets older than the journal, 2 currencies older than the audit"
        " log, 2 providers older than the audit log, 3 secrets older than the audit log, 2 players"
        " older than the audit log, 6 accounts older than the audit log, 5 sessions older than the"
        " audit log. `betcore ledger adopt` vouches for the older ones as they are now; --unvouched"
        " 24 accepts them."
    )
    assert verify(audited.url, asked=Asked(JOURNAL, OPERATOR, unvouched=24)).ok
    assert not verify(audited.url, asked=Asked(JOURNAL, OPERATOR, unvouched=23)).ok
    assert not verify(audited.url, asked=Asked(JOURNAL, OPERATOR, seal, unvouched=24)).ok
    assert len(problems(audited, seal=seal)) > 8


def test_a_stolen_key_vouches_for_nothing_of_another_purpose(audited: LedgerCopy) -> None:
    with ledger_of(audited, OPERATOR.current) as ledger:
        ledger.apply([Deposit(3, "forged", Decimal(1))], lambda _: True, 5)
    with operation(audited.url, Author("a worker", JOURNAL.current)) as database:
        close_session(database, select(audited, "select min(id) from session")[0][0])

    found = problems(audited)

    [(entry,)] = select(audited, "select max(id) from audit_log")
    [(transfer,)] = select(audited, "select max(id) from transfer")
    for row, key, of in (
        (5, JOURNAL.current, f"audit entries {entry}"),
        (1, OPERATOR.current, f"transfers {transfer}"),
    ):
        assert (
            f"Row {row} of journal strand S was signed with the {key.purpose} key {key.id}, which"
            f" may not vouch for {of}."
        ) in found
