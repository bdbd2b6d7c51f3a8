"""Settings of shells, roles and databases that would change the meaning of a connection."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from embedded import Urls
from tests.service.support.databases import fresh_database, name_of
from tests.service.support.world import World

#: All that libpq may be told by whoever starts a process.
ENVIRONMENT = {
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Kathmandu",
    "PGGEQO": "nonsense",
    "PGOPTIONS": "-c search_path=elsewhere -c nonsense=1",
    "PGSERVICE": "nowhere",
    "PGSERVICEFILE": "/nowhere",
    "PGSYSCONFDIR": "/nowhere",
    "PGDATA": "/nowhere",
    "PGHOST": "nowhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGCONNECT_TIMEOUT": "nonsense",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERTMODE": "require",
    "PGSSLMINPROTOCOLVERSION": "nonsense",
    "PGGSSENCMODE": "require",
    "PGREQUIREAUTH": "gss",
    "PGREQUIREPEER": "nobody",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGLOADBALANCEHOSTS": "nonsense",
    "PGMINPROTOCOLVERSION": "nonsense",
}
#: What anybody who may log in may have set for himself, and an owner for a database.
_SETTINGS = {
    "client_encoding": "LATIN1",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "check_function_bodies": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "exit_on_error": "on",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": "1",
    "statement_timeout": "1",
    "transaction_timeout": "1",
    "client_min_messages": "error",
}
#: What would make other plans of the hot path.
PLANS = {
    "plan_cache_mode": "force_custom_plan",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "jit": "on",
    "max_parallel_workers_per_gather": "8",
}


@contextmanager
def hostile_database(world: World) -> Iterator[Urls]:
    """An empty database whose defaults are all of the above, for itself and for its user."""
    with fresh_database(world) as url:
        name = name_of(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create schema elsewhere")
            connection.execute("create table elsewhere.bet ()")
            for whom in (f"database {name}", f"role current_user in database {name}"):
                connection.execute(f"alter {whom} set search_path = elsewhere, pg_catalog")
                for setting, value in (_SETTINGS | PLANS).items():
                    connection.execute(f"alter {whom} set {setting} = '{value}'")
        yield Urls(url, world.urls.redis)
