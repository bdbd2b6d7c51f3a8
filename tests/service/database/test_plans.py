"""The plans of the hot path and of look-ups: by an index and its condition, whatever is known.

A worker's connection makes a plan once and keeps it. It must be as good for the tables as they will
be as for those it was made on: new and empty, analysed while they were, small, or large.
"""

import json
import re
from collections.abc import Iterator

import psycopg
import pytest

from embedded import Urls
from models.database.prepared_connection import PreparedConnection
from models.database.query import INT8S, Query
from models.ledger.gateway_reads import GATEWAY_READS
from models.ledger.ledger import HOT_PATH
from models.tables.triggers import ACCOUNTS_SETTLED
from tests.service.support.databases import fresh_database, name_of
from tests.service.support.ledger_world import apply, new_players
from tests.service.support.world import World

# The tables that grow, with what a row of each is found by.
KEYS = {
    "account": [{"id"}, {"provider_id", "currency"}, {"currency"}],
    "session": [{"id"}],
    "bet": [
        *({"id"}, {"provider_id", "bet_id"}),
        {"hashtextextended", "state", "account_id"},
        {"hashtextextended", "state", "ROW(account_id,"},  # a page
    ],
    "finished_round": [{"account_id", "provider_id", "round_id"}],
    "transfer": [{"id"}, {"bet"}, {"bet", "kind"}, {"reference"}],
    "refused_order": [{"id"}],
}
# What a function does is planned by itself, under the same settings.
_IN_FUNCTION = re.search(r"perform (.*);", ACCOUNTS_SETTLED)
assert _IN_FUNCTION
STATEMENTS = (
    *HOT_PATH,
    *GATEWAY_READS,
    Query(
        b"in_settled",
        "select " + _IN_FUNCTION[1].format(schema="public").replace("any(ids)", "any($1)"),
        (INT8S,),
    ),
)
_ANALYSED = "vacuum analyze"
# Rows for each page that the table has: the planner multiplies.
_LARGE = """
    update pg_class set relpages = 1, reltuples = 1000000
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')
"""
# What a column of one and the same value would say of itself.
_ALIKE = """
    select pg_restore_attribute_stats('schemaname', 'public', 'relname', c.relname::text,
        'inherited', false, 'attname', a.attname::text, 'null_frac', 0::real, 'avg_width', 8,
        'n_distinct', 1::real)
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0
"""
# Of a role or database whose owner believes that an index is never worth it.
_COSTS = (
    *("random_page_cost = 1e9", "cpu_index_tuple_cost = 1e9", "cpu_operator_cost = 1e9"),
    *("join_collapse_limit = 1", "from_collapse_limit = 1", "enable_sort = off"),
    *("enable_material = off", "enable_memoize = off", "geqo_threshold = 2"),
)


@pytest.fixture(scope="module")
def plans_world(ledger_world: World) -> Iterator[World]:
    """A database of its own, whose tables no autovacuum looks at."""
    with fresh_database(ledger_world) as url:
        world = World(Urls(url, ledger_world.urls.redis))
        try:
            for table in KEYS:
                world.execute(f"alter table {table} set (autovacuum_enabled = off)")
            yield world
        finally:
            world.close()


def test_every_row_is_found_by_an_index_whatever_the_statistics_say(plans_world: World) -> None:
    found = faults(plans_world, "never analysed")
    analyse(plans_world, _ANALYSED)
    found += faults(plans_world, "analysed while empty")
    [player] = new_players(plans_world)
    apply(plans_world, *(player.bet(1, 1) for _ in range(60)))
    found += faults(plans_world, "60 bets, analysed while empty")
    analyse(plans_world, _ANALYSED)
    found += faults(plans_world, "60 bets, analysed")
    analyse(plans_world, _LARGE)
    found += faults(plans_world, "a million of each")
    analyse(plans_world, _ALIKE)
    found += faults(plans_world, "a million, all of them alike")
    analyse(plans_world, _ANALYSED, _ALIKE)
    found += faults(plans_world, "60 bets, all of them alike")
    analyse(
        plans_world,
        *(f"alter database {name_of(plans_world.urls.database)} set {cost}" for cost in _COSTS),
    )
    found += faults(plans_world, "60 bets, and an index that costs as much as it can")

    assert found == [], "\n".join(found)


def analyse(world: World, *statements: str) -> None:
    """Change what PostgreSQL knows of its tables."""
    with psycopg.connect(world.urls.database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def faults(world: World, when: str) -> list[str]:
    """Where a statement, prepared as ours are, finds rows in another way than by their key."""
    found = []
    connection = PreparedConnection(
        world.urls.database, STATEMENTS, wait_seconds=8, connect_seconds=2
    )
    try:
        pipeline = connection.pipeline()
        seen = set()
        for query in STATEMENTS:
            if query.sql.split()[0] in ("begin", "commit", "rollback"):
                continue
            values = ", ".join(["null"] * len(query.types))
            name = query.name.decode()
            execute = f'execute "{name}"' + (f"({values})" if values else "")
            [(plan,)] = pipeline.ask(Query(b"", f"explain (format json) {execute}"), ())
            for node in nodes(json.loads(plan or "")[0]["Plan"]):
                seen.add(node.get("Relation Name"))
                if fault := fault_of(node):
                    found.append(f"{when}: {name}: {fault}")
        assert seen >= KEYS.keys()
        return found
    finally:
        connection.close()


def nodes(plan: dict[str, object]) -> Iterator[dict[str, object]]:
    """The steps of a plan."""
    yield plan
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    for part in below:
        yield from nodes(part)


def fault_of(node: dict[str, object]) -> str:
    """What is wrong with a step, if anything is."""
    kind, table = str(node["Node Type"]), str(node.get("Relation Name", ""))
    if kind in ("Hash Join", "Merge Join"):
        return kind
    if table not in KEYS or kind in ("ModifyTable", "LockRows"):
        return ""
    if kind not in ("Index Scan", "Index Only Scan"):
        return f"{kind} on {table}"
    condition = str(node.get("Index Cond", ""))
    parts = [part.strip("(").split(" ")[0].strip("(") for part in condition.split(" AND ")]
    found = {re.sub(r"^(hashtextextended)\(.*", r"\1", part) for part in parts}
    return "" if found in KEYS[table] else f"{kind} on {table} with {condition or 'no condition'}"
