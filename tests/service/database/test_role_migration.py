"""Migrations make the roles and give them their rights, whoever migrates."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from typer.testing import CliRunner

from embedded import temporary_servers
from models.audit.verify import verify
from models.database.engine import engine
from models.database.ownership import RolesNeeded
from models.database.roles import OWNER, RIGHTS, ROLES
from models.migrate import migrate
from ops.cli import app
from settings import settings
from tests.service.support.journaled_ledger import bet, ledger_of
from tests.service.support.ledger_copy import WHOLE, LedgerCopy
from tests.service.support.migrating import migrating, older
from tests.service.support.processes import until

PASSWORD = "of-a-login"
OWNERS = """
    select distinct relowner::regrole::text from pg_class
    where relnamespace = 'public'::regnamespace
    union select proowner::regrole::text from pg_proc
    where pronamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The URL of a superuser on a server of the module's own, where no roles are yet."""
    with temporary_servers(redis=False) as urls:
        yield urls.database


@pytest.fixture
def bare(cluster: str) -> Iterator[str]:
    """The same, with the roles taken away again afterwards."""
    yield cluster
    for (name,) in ask(cluster, "select datname from pg_database where datname ~ '^of_'"):
        ask(cluster, f"drop database {name} with (force)")
    names = (
        "select rolname from pg_roles where rolname like 'betcore\\_%' or rolname like 'login\\_%'"
    )
    for (name,) in ask(cluster, names):
        ask(cluster, f"drop owned by {name}")
        ask(cluster, f"drop role {name}")


def test_a_login_that_may_make_roles_migrates_its_database_and_serves_as_before(bare: str) -> None:
    url = database(bare, "one", "createrole")

    migrate(url)

    assert ask(bare_of(url, bare), OWNERS) == [(OWNER,)]
    assert migrate(url)  # nothing is left to do
    ask(url, f"create role login_gateway login password '{PASSWORD}'")
    ask(url, "grant betcore_gateway to login_gateway")
    gateway = url.replace("//login_one:", "//login_gateway:")
    assert ask(gateway, "select counterparty_id from provider") == []
    fill(bare_of(url, bare))
    serves(url)


def test_a_login_that_may_not_says_in_one_line_what_an_administrator_has_to_run(
    bare: str,
) -> None:
    url = database(bare, "one")
    with pytest.raises(RolesNeeded) as refused:
        migrate(url)
    assert "\n" not in str(refused.value)
    assert "create role betcore_owner nologin;" in str(refused.value)
    assert ask(bare, "select count(*) from pg_roles where rolname = any(%s)", list(ROLES)) == [(0,)]

    printed = print_roles(url)
    assert all(line.rstrip(";") in str(refused.value) for line in printed.splitlines())
    ask(bare_of(url, bare), printed)

    assert print_roles(url) == ""
    migrate(url)
    fill(bare_of(url, bare))
    serves(url)


def test_another_login_in_the_same_cluster_needs_to_be_let_in(bare: str) -> None:
    migrate(database(bare, "one", "createrole"))
    url = database(bare, "two", "createrole")

    with pytest.raises(RolesNeeded, match="once: grant betcore_owner to login_two with"):
        migrate(url)
    ask(bare_of(url, bare), print_roles(url))

    migrate(url)
    assert ask(bare_of(url, bare), OWNERS) == [(OWNER,)]


def test_tables_of_a_third_login_are_named_to_the_administrator(bare: str) -> None:
    url = database(bare, "one", "createrole")
    older(bare_of(url, bare), "0003")  # a superuser made them

    with pytest.raises(RolesNeeded, match=r"alter table \S*transfer owner to betcore_owner"):
        migrate(url)
    ask(bare_of(url, bare), print_roles(url))

    migrate(url)
    assert ask(bare_of(url, bare), OWNERS) == [(OWNER,)]


ACCOUNTS = "select id, kind, player_id, currency, balance, last_seq from account order by id"


@pytest.mark.parametrize("options", ["superuser", "createrole"])
def test_an_installation_that_one_login_made_keeps_its_data_and_its_login(
    bare: str, options: str
) -> None:
    url = database(bare, "one", options)
    older(url, "0003")
    fill(bare_of(url, bare))
    before = ask(url, ACCOUNTS)

    migrate(url)

    assert ask(url, ACCOUNTS) == before
    assert ask(bare_of(url, bare), OWNERS) == [(OWNER,)]
    serves(url)


@pytest.mark.parametrize("options", ["superuser", "createrole"])
def test_what_others_keep_in_the_schema_is_no_hindrance_and_stays_as_it_is(
    bare: str, options: str
) -> None:
    url = database(bare, "one", options)
    others = bare_of(url, bare)
    ask(others, "create table monitored (at timestamptz); grant select on monitored to public")
    ask(others, "create view loads as select 1 one; grant select on loads to public")
    ask(others, "create table theirs (number int)")
    ask(others, "create function tick() returns int language sql as 'select 1'")
    privileges = "select relname, relowner, relacl::text from pg_class where relname = any(%s)"
    before = ask(others, privileges, ["monitored", "loads", "theirs"])

    migrate(url)

    assert ask(others, privileges, ["monitored", "loads", "theirs"]) == before
    assert ask(url, "select tick()") == [(1,)]
    ours = "select relname from pg_class where relacl::text ~ '[{,]=' and relname = any(%s)"
    assert ask(others, ours, list(RIGHTS)) == []  # nothing of ours is the public's


def test_two_databases_of_a_cluster_may_be_migrated_at_once(bare: str) -> None:
    urls = [database(bare, name, "superuser") for name in ("one", "two")]
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    with (
        psycopg.connect(bare) as before,
        migrating(urls[0]) as first,
        migrating(urls[1]) as second,
    ):
        before.execute(f"create role {OWNER}")  # neither sees it, and both make it
        until(lambda: ask(bare, waiting) == [(2,)])
        before.commit()
        for process in (first, second):
            process.communicate(timeout=60)
            assert process.returncode == 0
    for url in urls:
        assert ask(url, OWNERS) == [(OWNER,)]


def database(superuser: str, name: str, options: str = "") -> str:
    """A new database that belongs to a new login; its URL by that login."""
    ask(superuser, f"create role login_{name} login password '{PASSWORD}' {options}")
    ask(superuser, f"create database of_{name} owner login_{name}")
    parts = urlsplit(superuser)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"login_{name}:{PASSWORD}@{place}"
    return parts._replace(netloc=netloc, path=f"/of_{name}").geturl()


def bare_of(url: str, superuser: str) -> str:
    """The superuser's URL of the same database."""
    return urlsplit(superuser)._replace(path=urlsplit(url).path).geturl()


def fill(superuser: str) -> None:
    """Providers, players and accounts."""
    ask(superuser, WHOLE)


def serves(url: str) -> None:
    """One login is gateway, worker and verifier, as before there were roles."""
    with ledger_of(LedgerCopy(url)) as ledger:
        assert [o and o.code for o in ledger.apply([bet("b", "0", "5")], lambda _: True, 5)] == [1]
    ask(url, "select accounts_settled('{4}')")
    assert verify(url, 10).ok
    engine(url).dispose()


def print_roles(url: str) -> str:
    """What `betcore migrate --print-roles` prints."""
    settings.cache_clear()
    done = CliRunner(env={"DATABASE_URL": url}).invoke(app, ["migrate", "--print-roles"])
    settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    return done.stdout


def ask(url: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run statements, each committed; the rows of a query."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(statement, values or None)
        return answer.fetchall() if answer.description else []
