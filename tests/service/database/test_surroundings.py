"""The surroundings of a process change neither which PostgreSQL it uses nor what it means."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from models.database.postgres import connect
from models.database.preconditions import Use
from models.database.prepared_connection import PreparedConnection
from models.database.query import Query
from models.database.transactions import transaction
from models.keys import Purpose
from models.migrate import migrate
from tests.service.database.hostile import ENVIRONMENT, PLANS, hostile_database
from tests.service.support import keys
from tests.service.support.embedded_world import owner
from tests.service.support.ledger_world import (
    apply,
    balance_of,
    in_time,
    ledger_on,
    new_players,
    running,
)
from tests.service.support.operator_cli import Operator
from tests.service.support.world import World

ZURICH = "Zürich-17"
_SETTINGS = "select name, setting from pg_settings where context = 'user' order by name"


def test_a_bet_is_one_bet_to_workers_started_in_different_shells(
    ledger_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [player] = new_players(ledger_world, "100")
    stake = player.bet(10, bet_id=ZURICH)

    with ledger_on(ledger_world) as one, ledger_on(ledger_world) as other:
        first = one.apply([stake], in_time, 5)
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        again = other.apply([stake], in_time, 5)

    assert first == again
    assert balance_of(ledger_world, player) == 90


def test_everything_works_in_a_strange_shell_on_a_database_with_strange_defaults(
    ledger_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with hostile_database(ledger_world) as urls:
        enter_strange_shell(monkeypatch)
        world = World(urls)
        try:
            [player] = new_players(world, "100", player="Jürg")
            apply(world, player.bet("10.5", "0.25", bet_id=ZURICH))
            operator = Operator(world, provider_of(world))
            (shown,) = operator.documents("bet", "show", ZURICH, "--provider", operator.provider)
            verified = operator.run(
                "ledger", "verify", BETCORE_JOURNAL_KEY=keys.HEX[Purpose.JOURNAL]
            )
            migrated = operator.documents("migrate")

            assert shown["betId"] == ZURICH
            assert (shown["betAmount"], shown["winAmount"]) == (Decimal("10.5"), Decimal("0.25"))
            assert shown["createdAt"].endswith("Z")
            assert verified.exit_code == 0, verified.stdout
            assert migrated
        finally:
            world.close()


def test_our_connections_are_the_same_everywhere(
    ledger_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_usual = list(settings_seen(ledger_world.urls.database))

    with hostile_database(ledger_world) as urls:
        enter_strange_shell(monkeypatch)
        migrate(urls.database)
        strange = list(settings_seen(urls.database))

    commands, workers = (
        {name: seen[name] for name in seen if seen[name] != expected[name]}
        for seen, expected in zip(strange, as_usual, strict=True)
    )
    assert workers == {}
    assert commands.keys() <= PLANS.keys()  # how quickly a command reads is not its meaning


def test_options_of_the_url_choose_the_schema_and_nothing_that_is_ours(
    ledger_world: World,
) -> None:
    options = "-c%20search_path%3D%22my%5C%20tables%22%20-c%20TimeZone%3DAsia/Kathmandu"
    empty = ledger_world.urls.database.replace("/betcore?", "/postgres?", 1)
    url = f"{empty}&options={options}&client_encoding=LATIN1"
    ask = "select current_setting('search_path'), current_setting('TimeZone'), '\u00fc'"

    with connected(url, Use.MIGRATE) as connection:
        assert connection.execute(ask).fetchall() == [('"my tables"', "UTC", "\u00fc")]


def test_embedded_servers_start_in_a_strange_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_strange_shell(monkeypatch)

    with owner() as (_, urls), connected(urls.database, Use.START) as connection:
        assert connection.info.dbname == "betcore"


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_over_a_network_a_variable_may_say_how_the_server_is_trusted_and_not_where_it_is(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    enter_strange_shell(monkeypatch)
    for name in ("PGSSLNEGOTIATION", "PGGSSENCMODE", "PGSSLMINPROTOCOLVERSION", "PGREQUIREAUTH"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PGCHANNELBINDING", "disable")
    monkeypatch.setenv("PGSSLMODE", mode)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"postgresql://me@127.0.0.1:{server.getsockname()[1]}/mine"
        with running(lambda: connect(url, Use.START, connect_seconds=9, wait_seconds=9)) as opened:
            with closing(server.accept()[0]) as connection:
                asks_for_tls = first_message(connection) == 80877103
            with pytest.raises(psycopg.OperationalError):
                opened.result()

    assert asks_for_tls is (mode == "require")


def enter_strange_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set variables of a strange shell for the rest of the test."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def connected(url: str, use: Use) -> "psycopg.Connection":
    """A connection of ours."""
    return connect(url, use, connect_seconds=5, wait_seconds=8)


def settings_seen(url: str) -> Iterator[dict[str, str]]:
    """What a user may set, as it is on connections of commands, look-ups and workers."""
    with transaction(url) as database:
        yield {row[0]: row[1] for row in database.connection().execute(text(_SETTINGS))}
    connection = PreparedConnection(url, (), wait_seconds=8, connect_seconds=2)
    try:
        rows = connection.pipeline().ask(Query(b"", _SETTINGS), ())
        yield {str(name): str(value) for name, value in rows}
    finally:
        connection.close()


def provider_of(world: World) -> str:
    """The only provider's name on the wire."""
    with transaction(world.urls.database) as database:
        return str(
            database.connection().execute(text("select counterparty_id from provider")).scalar_one()
        )


def first_message(connection: socket.socket) -> int:
    """What a client asks for first, as a number: TLS, or a version of the protocol."""
    _, code = struct.unpack("!ii", connection.recv(8, socket.MSG_WAITALL))
    return int(code)
