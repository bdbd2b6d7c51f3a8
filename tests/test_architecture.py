"""The shape of the project, kept by tests: who imports whom, how long things are, who commits."""

import ast
import re

import pytest

from tests.source import (
    ROOT,
    Found,
    assert_none,
    files,
    functions,
    imports,
    is_in,
    lines,
    name_of,
    ours,
    tree,
    where,
)

ALL = {
    *(
        "betcore_launcher",
        "settings",
        "logs",
        "metrics",
        "models",
        "broker",
        "workers",
        "server",
        "api",
    ),
    *("embedded", "outbound", "ops", "bench"),
}
# What each of ours may import of ours, besides itself (docs/ARCHITECTURE.md, "Folders").
MAY_IMPORT: dict[str, set[str]] = {
    "betcore_launcher": {"ops"},
    "settings": set(),
    "logs": set(),
    "metrics": set(),
    "models": {"settings", "logs", "metrics"},
    "broker": {"settings", "logs", "metrics", "models"},
    "workers": {"settings", "logs", "metrics", "models", "broker"},
    "server": {"settings", "logs"},
    "outbound": {"settings", "logs", "metrics", "models"},
    "api": {"settings", "logs", "metrics", "models", "broker", "server", "outbound"},
    "embedded": {"models"},  # models/database/postgres.py makes every connection
    "ops": ALL,
    "bench": ALL,
    "kit": set(),  # a distribution of its own, which providers install (docs/adr/0035)
}
SQL = ("models", "embedded", "ops", "bench")
# Libraries that only some of ours may use.
USERS = {
    "starlette": ("api", "server", "ops/dashboard", "ops/process/gateway.py", "bench"),
    "rq": ("workers", "broker/keys.py", "ops", "bench"),
    "redis": ("broker", "workers", "embedded", "ops", "bench"),
    "psycopg": SQL,
    "sqlalchemy": SQL,
    "sqlmodel": SQL,
    "alembic": ("models",),
    "prometheus_client": ("metrics/families.py",),  # its locks are too slow for a bet
    "opentelemetry": ("metrics/spans.py",),  # imported only if traces are switched on
    "argon2": ("models/directory/console_users.py",),
    "httpx": ("outbound", "kit"),
    "jinja2": ("api/console", "ops/dashboard"),
}
# Who else may begin, commit or roll back.
TRANSACTIONS = {
    "models/database/transactions.py": "those of operators and reports, through SQLModel",
    "models/database/prepared_connection.py": "those of batches, through libpq's pipeline",
    "models/ledger/ledger.py": "by `BatchTransaction` of models/database/prepared_connection.py",
    "models/migrate.py": "Alembic wants the connection, and its lock must outlive the transaction",
    "models/housekeeping.py": "autocommit: vacuum runs in no transaction, and none stays open",
    "models/database/ownership.py": "a migration must not hold two tables that a bet may lock",
    "models/database/postgres.py": "autocommit: those two begin and end transactions themselves",
}
# Who makes connections: nobody else could forget what makes ours the same everywhere.
CONNECTS = {
    "models/database/postgres.py": "it is the module for that",
    "models/database/engine.py": "SQLAlchemy's engine, whose connections postgres.py makes",
    "bench/contenders/direct.py": "a rival, whose way to connect is a part of what is measured",
    "bench/contenders/sql_function.py": "another one",
    "bench/contenders/tuned_direct.py": "a third one",
}
DRIVERS = {"psycopg", "asyncpg", "psycopg_pool", "Connection", "AsyncConnection"}
CONNECTING = {"create_engine", "create_async_engine", "ConnectionPool", "AsyncConnectionPool"}
ENDS_TRANSACTION = {"commit", "rollback", "begin", "begin_nested", "begin_twophase"}
TRANSACTION_SQL = re.compile(
    r"\s*(begin|commit|rollback|savepoint|start transaction)"
    r"( (work|isolation|transaction)\b.*)?;?\s*",
    re.IGNORECASE | re.DOTALL,
)
TRANSACTION_QUERIES = {"BEGIN", "SNAPSHOT", "COMMIT", "ROLLBACK"}

MAP_ROW = re.compile(r"^\| (`[^|]+`) \| [^|]+ \|$", re.MULTILINE)
WAY_FILES_MAX = 30
WAY_RETURNS_MAX = 5
MODULE_LINES_MAX = 350
FUNCTION_LINES_MAX = 50
LINE_CHARACTERS_MAX = 100


def test_ours_import_only_what_is_below_them() -> None:
    def faults() -> Found:
        for path in ours():
            for line, name in imports(path):
                of = name.partition(".")[0]
                owner = path.relative_to(ROOT).parts[0].removesuffix(".py")
                own = "betcore_kit" if owner == "kit" else owner
                if of in ALL | {"betcore_kit", "tests"} and of not in MAY_IMPORT[owner] | {own}:
                    yield f"{where(path, line)}: {owner} may not import {name}"

    assert_none(faults(), "the import rule of docs/ARCHITECTURE.md")


@pytest.mark.parametrize("library", USERS)
def test_a_library_is_used_only_where_it_belongs(library: str) -> None:
    def faults() -> Found:
        for path in ours():
            if not is_in(path, USERS[library]):
                for line, name in imports(path):
                    if name.partition(".")[0] == library:
                        yield f"{where(path, line)}: imports {name}"

    assert_none(faults(), f"{library} belongs to {', '.join(USERS[library])}")


def test_only_two_modules_begin_commit_and_roll_back() -> None:
    def faults() -> Found:
        for path in ours():
            if is_in(path, TRANSACTIONS):
                continue
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Call) and name_of(node) in ENDS_TRANSACTION:
                    yield f"{where(path, node.lineno)}: calls {name_of(node)}()"
                if isinstance(node, ast.keyword) and node.arg in ("autocommit", "isolation_level"):
                    yield f"{where(path, node.value.lineno)}: sets {node.arg}"

    assert_none(
        faults(),
        "transactions belong to two modules of models/database/",
    )


def test_only_one_module_connects_to_postgresql() -> None:
    def faults() -> Found:
        for path in ours():
            if is_in(path, CONNECTS):
                continue
            for node in ast.walk(tree(path)):
                match node:
                    case ast.Attribute(attr="connect", value=ast.Name(id=name)) if name in DRIVERS:
                        yield f"{where(path, node.lineno)}: {name}.connect"
                    case ast.ImportFrom(module=module, names=names) if module in DRIVERS:
                        found = [n.name for n in names if n.name in CONNECTING | {"connect"}]
                        yield from (f"{where(path, node.lineno)}: takes {name}" for name in found)
                    case ast.Call() if name_of(node) in CONNECTING:
                        yield f"{where(path, node.lineno)}: {name_of(node)}"

    assert_none(faults(), "models/database/postgres.py makes every connection (docs/adr/0012)")


def test_only_one_module_speaks_the_sql_of_transactions() -> None:
    def faults() -> Found:
        for path in ours():
            named = ["models/database/prepared_connection.py", "models/database/query.py"]
            if is_in(path, [*named, "metrics/spans.py"]):  # a span is named commit
                continue
            for node in ast.walk(tree(path)):
                match node:
                    case ast.alias(name=name) if name in TRANSACTION_QUERIES:
                        yield f"{where(path, node.lineno)}: takes {name}"
                    case ast.Attribute(attr=name) if name in TRANSACTION_QUERIES:
                        yield f"{where(path, node.lineno)}: takes {name}"
                    case ast.Constant(value=str(text)) if TRANSACTION_SQL.fullmatch(text):
                        yield f"{where(path, node.lineno)}: says {text!r}"

    assert_none(
        faults(),
        "models/database/prepared_connection.py alone speaks of transactions in SQL",
    )


def test_money_is_never_a_binary_float() -> None:
    def faults() -> Found:
        for path in ours():
            if not is_in(path, ("models", "broker", "workers", "api")):
                continue
            for node in ast.walk(tree(path)):
                constant = isinstance(node, ast.Call) and all(
                    isinstance(argument, ast.Constant) for argument in node.args
                )
                if isinstance(node, ast.Call) and name_of(node) == "float" and not constant:
                    yield f"{where(path, node.lineno)}: converts to float"

    assert_none(faults(), "amounts are Decimal; only a constant such as infinity may be converted")


def test_the_map_of_the_architecture_names_every_file_of_a_bets_way_and_no_other() -> None:
    page = (ROOT / "docs/ARCHITECTURE.md").read_text()
    rows = MAP_ROW.findall(page)
    named = {name for row in rows for name in re.findall(r"`([a-z_/]+\.(?:py|lua))`", row)}
    folders = ("server", "api/wallet", "broker", "workers", "models/ledger")
    there = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).iterdir()
        if path.suffix in (".py", ".lua") and path.name != "__init__.py"
    }

    assert sorted(there - named) == []
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


def test_the_way_of_a_bet_has_few_files_and_comes_back_to_few() -> None:
    page = (ROOT / "docs/ARCHITECTURE.md").read_text()
    way, rest = page.split("### From socket to command", 1)[1].split("The way comes back to ", 1)
    steps = MAP_ROW.findall(way)
    returns = MAP_ROW.findall(rest.split("### What these rely on", 1)[0])

    assert len(steps) == len(set(steps)) <= WAY_FILES_MAX
    assert f"A bet passes through {len(steps)} files" in page
    assert set(returns) <= set(steps)
    assert len(returns) <= WAY_RETURNS_MAX


def test_no_module_is_too_long() -> None:
    long = {path: len(lines(path)) for path in files(".py", ".lua")}
    faults = (f"{where(p)}: {n} lines" for p, n in long.items() if n > MODULE_LINES_MAX)

    assert_none(faults, f"a module has at most {MODULE_LINES_MAX} lines")


def test_no_function_is_too_long() -> None:
    def faults() -> Found:
        for path in files(".py"):
            for node in functions(path):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    yield f"{where(path, node.lineno)}: {node.name} has {length} lines"

    assert_none(faults(), f"a function has at most {FUNCTION_LINES_MAX} lines")


def test_no_line_of_lua_is_too_long() -> None:
    faults = (
        f"{where(path, number)}: {len(line)} characters"
        for path in files(".lua")  # Ruff looks at the other ones
        for number, line in enumerate(lines(path), start=1)
        if len(line) > LINE_CHARACTERS_MAX
    )

    assert_none(faults, f"a line has at most {LINE_CHARACTERS_MAX} characters")
