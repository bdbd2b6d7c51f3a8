"""The schema: migrations make what the classes declare, and a second run changes nothing."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from models.database.roles import FUNCTIONS
from models.migrate import migrate
from models.tables import triggers
from tests.service.support.databases import fresh_database, name_of
from tests.service.support.ledger_world import until_waiting
from tests.service.support.migrating import migrating
from tests.service.support.patience import COMMAND
from tests.service.support.processes import until
from tests.service.support.world import World

# One query a part of the catalog, of everything that is ours; each row is text that says all.
CATALOG = {
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attnum,
               a.attcollation::regcollation
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
          and c.relnamespace = 'public'::regnamespace
    """,
    "constraints": """
        select conrelid::regclass, conname, contype, pg_get_constraintdef(oid), condeferrable,
               convalidated
        from pg_constraint where connamespace = 'public'::regnamespace
    """,
    "indexes": """
        select indexrelid::regclass, pg_get_indexdef(indexrelid), indisunique, indisvalid
        from pg_index where indrelid::regclass::text !~ '^pg_'
    """,
    "triggers": """
        select tgname, pg_get_triggerdef(oid), tgenabled from pg_trigger where not tgisinternal
    """,
    "functions": """
        select proname, pg_get_functiondef(oid) from pg_proc
        where pronamespace = 'public'::regnamespace
    """,
    "sequences": """
        select sequencename, data_type, start_value, min_value, max_value, increment_by, cycle,
               cache_size
        from pg_sequences where schemaname = 'public'
    """,
    "options": """
        select relname, relkind, relpersistence, reloptions from pg_class
        where relnamespace = 'public'::regnamespace
    """,
}


@pytest.fixture(scope="module")
def migrated(ledger_world: World) -> Iterator[str]:
    """The URL of a database that was made by migrations."""
    with fresh_database(ledger_world) as url:
        migrate(url)
        yield url


@pytest.fixture(scope="module")
def declared(ledger_world: World) -> Iterator[str]:
    """The URL of a database that was made from the classes."""
    with fresh_database(ledger_world) as url:
        assert triggers.APPEND_ONLY  # to import it is what adds the triggers to the metadata
        SQLModel.metadata.create_all(create_engine(sqlalchemy_url(url), poolclass=NullPool))
        yield url


@pytest.mark.parametrize("part", CATALOG)
def test_migrated_equals_declared(migrated: str, declared: str, part: str) -> None:
    by_migration, by_declaration = catalog(migrated, part), catalog(declared, part)

    assert by_declaration
    assert sorted(by_migration - by_declaration) == []
    assert sorted(by_declaration - by_migration) == []


def test_alembic_finds_nothing_to_migrate(migrated: str) -> None:
    with create_engine(sqlalchemy_url(migrated), poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )

        assert compare_metadata(context, SQLModel.metadata) == []


def test_to_migrate_again_changes_nothing(migrated: str) -> None:
    before = {part: catalog(migrated, part) for part in CATALOG}

    revision = migrate(migrated)

    assert {part: catalog(migrated, part) for part in CATALOG} == before
    with psycopg.connect(migrated) as connection:
        versions = connection.execute("select version_num from alembic_version").fetchall()
    assert versions == [(revision,)]


def test_processes_that_migrate_at_once_take_turns(ledger_world: World) -> None:
    connected = "select from pg_stat_activity where datname = %s"

    with fresh_database(ledger_world) as url, psycopg.connect(url) as before:
        before.execute("create table currency ()")  # holds the first one up half-way
        with migrating(url) as first:
            until_waiting(ledger_world, 1)
            with migrating(url) as second:
                until(lambda: len(ledger_world.rows(connected, name_of(url))) == 3)
                before.rollback()
                revisions = {process.communicate(timeout=COMMAND)[0] for process in (first, second)}

        assert (first.returncode, second.returncode) == (0, 0)
        assert len(revisions) == 1
        assert len(catalog(url, "functions")) == len(FUNCTIONS)


def test_a_migration_leaves_no_lock_behind(ledger_world: World) -> None:
    locks = "select count(*) from pg_locks where locktype = 'advisory'"

    with fresh_database(ledger_world) as url:
        migrate(url)

        assert ledger_world.rows(locks) == [(0,)]


def catalog(url: str, part: str) -> set[str]:
    """One part of a database's catalog, without Alembic's own table; a row each, as text."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(CATALOG[part].encode()).fetchall()
    return {text for text in map(str, rows) if "alembic_version" not in text}


def sqlalchemy_url(url: str) -> str:
    """The URL as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
