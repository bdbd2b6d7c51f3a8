"""Each role can do exactly what models/database/roles.py says. Everything is tried."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from models.audit.verify import verify
from models.database import preconditions
from models.database.roles import (
    ALL,
    FUNCTIONS,
    OWNER,
    RIGHTS,
    ROLES,
    SEQUENCES,
    TEMPORARY,
    USERS,
    Rights,
)
from models.errors import UnsupportedDatabase
from models.ledger.gateway_reads import GatewayReads
from models.ledger.ledger import Ledger, LedgerConnection
from ops.logins import LOGINS, login_url
from tests.service.support.ledger_world import apply, new_players
from tests.service.support.world import World

LOGIN_OF = {role: login for login, role in LOGINS.items()}
NOTHING = Rights()

Tables = Mapping[str, tuple[str, ...]]

# Each touches no row: PostgreSQL asks for the privilege first.
TRIED = {
    "select": "select {column} from {table} where false",
    "insert": "insert into {table} ({column}) select (null::{table}).{column} where false",
    "update": "update {table} set {column} = default where false",
    "lock": "select from {table} where false for key share",
    "delete": "delete from {table} where false",
    "truncate": "truncate {table}",
}
BY_COLUMN = ("select", "insert", "update")


@pytest.fixture(scope="module")
def tables(ledger_world: World) -> Tables:
    """Every table of the database, and its columns."""
    found = ledger_world.rows(
        "select c.relname, array_agg(a.attname::text order by a.attnum) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')"
        " group by c.relname"
    )
    return {table: tuple(columns) for table, columns in found}


@pytest.fixture(scope="module")
def logins(ledger_world: World) -> Iterator[Mapping[str, psycopg.Connection]]:
    """A connection of each role that is not the owner."""
    found = {}
    for role in USERS:
        found[role] = psycopg.connect(login_url(ledger_world.urls.database, LOGIN_OF[role]))
    yield found
    for connection in found.values():
        connection.close()


def test_every_table_and_column_has_a_decision(tables: Tables) -> None:
    named = {
        (table, column)
        for table, roles in RIGHTS.items()
        for rights in roles.values()
        for column in " ".join(rights).replace(ALL, "").split()
    }

    assert set(RIGHTS) == set(tables), "decide in models/database/roles.py who needs the new table"
    assert named <= {(table, column) for table, columns in tables.items() for column in columns}
    assert all(set(roles) <= set(USERS) for roles in RIGHTS.values())


@pytest.mark.parametrize("role", USERS)
@pytest.mark.parametrize("operation", BY_COLUMN)
def test_a_role_reads_inserts_and_changes_the_declared_columns_and_no_other(
    logins: Mapping[str, psycopg.Connection], tables: Tables, role: str, operation: str
) -> None:
    everything = {(table, column) for table, columns in tables.items() for column in columns}

    possible = {one for one in everything if may(logins[role], operation, *one)}

    assert possible == {one for one in everything if declared(role, operation, *one)}


@pytest.mark.parametrize("role", USERS)
def test_no_role_deletes_or_truncates_or_locks_more_than_it_changes(
    logins: Mapping[str, psycopg.Connection], tables: Tables, role: str
) -> None:
    for table in tables:
        changes = any(declared(role, "update", table, column) for column in tables[table])
        assert may(logins[role], "lock", table) == changes, table
        assert not may(logins[role], "delete", table), table
        assert not may(logins[role], "truncate", table), table


def test_what_is_granted_cannot_be_passed_on_and_nothing_is_everybodys(ledger_world: World) -> None:
    of_relations = """
        select c.relname, acl.grantee::regrole::text, acl.privilege_type, acl.is_grantable
        from pg_class c left join pg_attribute a on a.attrelid = c.oid,
             lateral (
                 select * from aclexplode(c.relacl) union select * from aclexplode(a.attacl)
             ) acl
        where c.relnamespace = 'public'::regnamespace and acl.grantee <> %s::regrole
    """
    granted = ledger_world.rows(of_relations, OWNER)

    assert {grantee for _, grantee, *_ in granted} == set(USERS)
    assert {kind for _, _, kind, _ in granted} == {"SELECT", "INSERT", "UPDATE", "USAGE"}
    assert not any(grantable for *_, grantable in granted)


def test_functions_and_sequences_are_for_whom_it_is_declared(ledger_world: World) -> None:
    functions = ledger_world.rows(
        "select p.oid::regprocedure::text, coalesce(array_agg(acl.grantee::regrole::text)"
        " filter (where acl.grantee <> %s::regrole), '{}'), proowner::regrole::text"
        " from pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) acl"
        " where pronamespace = 'public'::regnamespace group by p.oid",
        OWNER,
    )
    assert {name.replace(",", ", "): set(roles) for name, roles, _ in functions} == FUNCTIONS
    assert {owner for *_, owner in functions} == {OWNER}

    sequences = [name for (name,) in ledger_world.rows("select sequencename from pg_sequences")]
    usable = {
        name: {role for role in USERS if privilege(ledger_world, "sequence", role, name, "USAGE")}
        for name in sequences
    }
    assert {name: roles for name, roles in usable.items() if roles} == SEQUENCES


def test_a_function_that_acts_as_its_owner_looks_up_names_only_where_it_was_told_to(
    ledger_world: World,
) -> None:
    found = ledger_world.rows(
        "select proname, proconfig from pg_proc"
        " where pronamespace = 'public'::regnamespace and prosecdef"
    )

    assert found == [("accounts_settled", ["search_path=pg_catalog, pg_temp"])]


def test_no_role_or_login_is_more_than_one_of_its_kind(ledger_world: World) -> None:
    found = ledger_world.rows(
        "select rolname, rolcanlogin, rolsuper or rolcreaterole or rolcreatedb or rolreplication"
        " or rolbypassrls, array(select roleid::regrole::text from pg_auth_members"
        " where member = r.oid) from pg_roles r where rolname = any(%s)",
        [*ROLES, *LOGINS],
    )

    assert sorted(found) == sorted(
        [(role, False, False, []) for role in ROLES]
        + [(login, True, False, [role]) for login, role in LOGINS.items()]
    )


def test_in_schema_and_database_a_role_makes_nothing_but_temporary_tables(
    ledger_world: World,
) -> None:
    for role in USERS:
        assert privilege(ledger_world, "schema", role, "public", "USAGE")
        assert not privilege(ledger_world, "schema", role, "public", "CREATE")
        assert not privilege(ledger_world, "database", role, "betcore", "CREATE")
        temporary = privilege(ledger_world, "database", role, "betcore", "TEMPORARY")
        assert temporary == (role in TEMPORARY)
    with stranger(ledger_world) as role:
        assert not privilege(ledger_world, "schema", role, "public", "USAGE")
        assert not privilege(ledger_world, "database", role, "betcore", "TEMPORARY")


def test_everything_belongs_to_the_owner(ledger_world: World) -> None:
    of_others = """
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relowner <> %s::regrole
    """
    assert ledger_world.rows(of_others, OWNER) == []


def test_what_a_later_migration_makes_is_closed_until_it_grants(
    ledger_world: World, logins: Mapping[str, psycopg.Connection]
) -> None:
    migrator = login_url(ledger_world.urls.database, "migrator")
    with psycopg.connect(migrator, autocommit=True) as connection:
        connection.execute(f"set role {OWNER}")
        connection.execute("create table later (id int generated by default as identity)")
        connection.execute("create function later() returns int language sql as 'select 1'")
        try:
            for role in USERS:
                assert not any(may(logins[role], operation, "later", "id") for operation in TRIED)
                assert not privilege(ledger_world, "function", role, "later()", "EXECUTE")
                assert not privilege(ledger_world, "sequence", role, "later_id_seq", "USAGE")
        finally:
            connection.execute("drop table later")
            connection.execute("drop function later()")


def test_a_gateway_can_wait_for_an_account_but_keeps_no_lock_on_it(
    ledger_world: World, logins: Mapping[str, psycopg.Connection]
) -> None:
    [player] = new_players(ledger_world)
    gateway, worker = logins["betcore_gateway"], logins["betcore_worker"]
    lock = "select id from account where id = %s for no key update nowait"
    with gateway.transaction(force_rollback=True):
        gateway.execute("select accounts_settled(%s)", [[player.account_id]])

        with worker.transaction(force_rollback=True):
            assert worker.execute(lock, [player.account_id]).fetchall() == [(player.account_id,)]

    with worker.transaction(force_rollback=True), gateway.transaction(force_rollback=True):
        worker.execute(lock, [player.account_id])
        gateway.execute("set local lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            gateway.execute("select accounts_settled(%s)", [[player.account_id]])


def test_a_gateway_says_what_is_recorded_as_a_worker_would(ledger_world: World) -> None:
    [player] = new_players(ledger_world)
    bet = player.bet(1, 2)
    [applied] = apply(ledger_world, bet)
    url = login_url(ledger_world.urls.database, "gateway")
    connection = LedgerConnection(url, wait_seconds=30, connect_seconds=10)
    with closing(connection):
        asked = Ledger(connection).recorded([bet, player.bet(1, 2)])

    assert asked == [applied, None]


def test_an_operator_opens_accounts_that_are_empty_and_no_others(
    ledger_world: World, logins: Mapping[str, psycopg.Connection]
) -> None:
    operator, code = logins["betcore_operator"], ledger_world.currency("EMPTY", 2)
    opened = "insert into account (kind, player_id, currency) select 'player', id, %s from player"
    with operator.transaction(force_rollback=True):
        operator.execute(
            "insert into player (external_id, status) values (%s, 'active')", [uuid.uuid4().hex]
        )
        balances = operator.execute(f"{opened} returning balance, last_seq", [code]).fetchall()
        assert set(balances) == {(0, 0)}

    for column in ("balance", "last_seq"):
        money = f"insert into account (kind, currency, {column}) values ('player', %s, 5)"  # noqa: S608
        with pytest.raises(InsufficientPrivilege), operator.transaction():
            operator.execute(money, [code])


def test_a_reader_verifies_the_whole_ledger(ledger_world: World) -> None:
    new_players(ledger_world)

    report = verify(login_url(ledger_world.urls.database, "reader"), 10)

    assert report.transfers > 0


def test_a_login_without_a_role_is_told_who_can_give_it_one(ledger_world: World) -> None:
    with stranger(ledger_world, "login password 'strange'") as login:
        place = ledger_world.urls.database.partition("@")[2]
        asking = GatewayReads(
            f"postgresql://{login}:strange@{place}", connect_seconds=2, answer_seconds=8
        )
        with pytest.raises(UnsupportedDatabase, match=f"grant betcore_gateway to {login}"):
            asking.directory()
        ledger_world.execute(f"grant usage on schema public to {login}")
        with pytest.raises(UnsupportedDatabase, match=f"grant betcore_gateway to {login}"):
            asking.directory()
        ledger_world.execute(f"revoke usage on schema public from {login}")

        ledger_world.execute(f"grant betcore_gateway to {login}")
        assert asking.places(["none"]) == [None]
        asking.close()


def test_who_logs_in_as_a_superuser_says_so_once(
    ledger_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    preconditions._warn.cache_clear()
    for login in ("gateway", "operator"):
        look_up_once(login_url(ledger_world.urls.database, login))
    assert not [message for message in caplog.messages if "superuser" in message]

    for _ in range(2):
        look_up_once(ledger_world.urls.database)

    [said] = [message for message in caplog.messages if "superuser" in message]
    assert "as the superuser postgres" in said
    assert "\n" not in said


def look_up_once(database_url: str) -> None:
    """Log in as a gateway does, and log out."""
    with closing(GatewayReads(database_url, connect_seconds=2, answer_seconds=8)) as asking:
        asking.places(["none"])


def may(connection: psycopg.Connection, operation: str, table: str, column: str = "") -> bool:
    """Whether PostgreSQL lets this login do that; nothing is changed by the attempt."""
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column or "id")}
    statement = sql.SQL(TRIED[operation]).format(**names)
    with suppress(InsufficientPrivilege), connection.transaction(force_rollback=True):
        connection.execute(statement)
        return True
    return False


def declared(role: str, operation: str, table: str, column: str) -> bool:
    """Whether models/database/roles.py says so."""
    columns = getattr(RIGHTS[table].get(role, NOTHING), operation)
    return columns == ALL or column in columns.split()


def privilege(world: World, kind: str, role: str, name: str, privilege: str) -> bool:
    """Whether a role has a privilege, itself or as everybody has it."""
    (found,) = world.rows(f"select has_{kind}_privilege(%s, %s, %s)", role, name, privilege)[0]
    return bool(found)


@contextmanager
def stranger(world: World, options: str = "") -> Iterator[str]:
    """A role that has only what everybody has."""
    role = f"stranger_{uuid.uuid4().hex}"
    world.execute(f"create role {role} {options}")
    try:
        yield role
    finally:
        world.execute(f"drop role {role}")
