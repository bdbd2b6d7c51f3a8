"""A ledger older than the audit log: it works, and `adopt` signs it."""

from collections.abc import Iterator

import psycopg
import pytest

from embedded import temporary_servers
from models.audit.adopt import Adopted, adopt
from models.audit.journal import Strand
from models.audit.log import operation
from models.audit.records import TRANSFER, Records
from models.audit.seal import read_seal, write_seal
from models.audit.verify import Asked, verify
from models.directory.providers import add_provider
from models.migrate import migrate
from tests.service.audit.audited_ledger import select
from tests.service.support.journaled_ledger import problems, sealed
from tests.service.support.keys import AUTHOR, CIPHER, JOURNAL, OPERATOR, SECRETS
from tests.service.support.ledger_copy import LedgerCopy, written
from tests.service.support.migrating import older

#: What was in the ledger before: 2 currencies, 2 providers, 2 secrets, 2 players, 8 accounts, a
#: session, a rejected bet, and transfer 1; the journal vouched for the others.
FACTS = {
    "currencies": 2,
    "providers": 2,
    "secrets": 2,
    "players": 2,
    "accounts": 8,
    "sessions": 1,
}
UNREVOKE = (
    "update provider_secret set revoked_at = null, key = 'k', ciphertext = 'x'"
    " where revoked_at is not null"
)
INSERT_ROW = """
    insert into journal (strand, number, key, transfers, fingerprints, hmac, created_at)
    values (%s, %s, %s, %s, %s, %s, 'epoch')
"""
LINES = f"""
    select {TRANSFER.line} from transfer t left join bet b on b.id = t.bet
    where t.id = any(%s) order by t.id
"""  # noqa: S608


@pytest.fixture(scope="module")
def upgraded() -> Iterator[LedgerCopy]:
    """Of revision 0003, with all that a worker and operators of that version wrote; then migrated.

    Afterwards an operator of this version has added a provider.
    """
    with temporary_servers(redis=False) as urls:
        older(urls.database, "0003")
        ledger_copy = written(urls.database)
        ledger_copy.bet(7, "pay_in", "rejected", "1000", None)
        with psycopg.connect(ledger_copy.url) as connection:
            connection.execute("select setval('ledger_ids', 1000)")
            connection.execute(
                "select setval(pg_get_serial_sequence(t, 'id'), 100) from unnest("
                "array['provider', 'player', 'account']) t"
            )
            connection.execute(
                "insert into provider_secret (provider_id, secret, revoked_at)"
                " values (1, 'one', null), (1, 'old', now())"
            )
            connection.execute("alter table journal_start disable trigger user")
            connection.execute("update journal_start set transfer_id = 1")
            ids = [2, 3, 5, 6]
            lines = [line for (line,) in connection.execute(LINES.encode(), [ids])]
            row = Strand(JOURNAL.current).append(Records(ids), lines, "0")
            values = [row.strand, row.number, row.key, ids, row.fingerprints, row.hmac]
            connection.execute(INSERT_ROW, values)
        migrate(ledger_copy.url, SECRETS)
        with operation(ledger_copy.url, AUTHOR) as database:
            add_provider(database, "New", CIPHER)
        yield ledger_copy


def test_what_is_older_is_counted_and_everything_else_is_verified(upgraded: LedgerCopy) -> None:
    report = verify(upgraded.url, asked=Asked(JOURNAL, OPERATOR))

    [problem] = report.problems
    assert problem.startswith("Nothing vouches for 1 transfers older than the journal, 1 rejected")
    assert report.journal is not None
    assert report.journal.unvouched.facts == FACTS
    assert report.journal.unvouched.total == 19
    assert verify(upgraded.url, asked=Asked(JOURNAL, OPERATOR, unvouched=19)).ok
    old = write_seal(sealed(upgraded), JOURNAL.current)
    assert verify(upgraded.url, asked=Asked(JOURNAL, OPERATOR, read_seal(old, JOURNAL))).ok


def test_what_is_inserted_after_the_upgrade_is_named_and_not_counted(upgraded: LedgerCopy) -> None:
    insert = (
        "insert into provider (id, counterparty_id, name, status) values (200, 'm', 'M', 'active')"
    )
    with upgraded.damaged("provider", insert):
        found = problems(upgraded)

    assert "Provider 200 is in no entry of the audit log: it was inserted" in found[0]


def test_what_is_older_can_be_adopted_once_and_is_vouched_for_since(upgraded: LedgerCopy) -> None:
    before = sealed(upgraded)
    everything = Adopted(1, 1, 1, 1, FACTS)

    assert adopt(upgraded.url, JOURNAL.current, AUTHOR, only_count=True) == everything
    assert len(problems(upgraded)) == 1
    assert adopt(upgraded.url, JOURNAL.current, AUTHOR) == everything
    assert adopt(upgraded.url, JOURNAL.current, AUTHOR) == Adopted(0)
    assert problems(upgraded) == problems(upgraded, seal=before) == []

    [(secret,)] = select(upgraded, "select id from provider_secret where revoked_at is not null")
    with upgraded.damaged("provider_secret", UNREVOKE):
        assert f"Secret {secret} was changed: revokedAt is missing" in problems(upgraded)[0]
    with upgraded.damaged("session", "update session set account_id = 5"):
        assert "Session session-1 was changed: account is 5, but the audit log says 4." in problems(
            upgraded
        )
    with upgraded.damaged("bet", "update bet set stake = 10 where id = 7"):
        assert "Rejected bet 7 was edited: it is not as row 2 of journal strand S has it." in (
            problems(upgraded)
        )
