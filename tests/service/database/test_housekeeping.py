"""`betcore housekeeping`: its chores run beside bets, and once even if two run."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from typer.testing import CliRunner, Result

from models.database.engine import engine
from models.housekeeping import CHORES, NotOwner
from ops.cli import app
from ops.logins import login_url
from settings import settings
from tests.service.support.ledger_world import apply, new_players
from tests.service.support.world import World


@pytest.fixture(scope="module")
def migrator(ledger_world: World) -> Iterator[str]:
    """The URL of the login that owns the tables."""
    url = login_url(ledger_world.urls.database, "migrator")
    yield url
    engine(url).dispose()


def run(url: str) -> Result:
    """Run the command with a login."""
    settings.cache_clear()
    try:
        return CliRunner(env={"DATABASE_URL": url}).invoke(app, ["housekeeping", "--json"])
    finally:
        settings.cache_clear()


def test_all_chores_are_done_beside_open_transactions_and_bets(
    ledger_world: World, migrator: str
) -> None:
    [player] = new_players(ledger_world)
    with psycopg.connect(ledger_world.urls.database) as report, report.transaction():
        report.execute("lock table session in share mode")  # vacuum has to leave this one out

        done = run(migrator)

        assert done.exit_code == 0, done.output
        assert len(json.loads(done.stdout)["chores"]) == len(CHORES)
        assert [outcome.code for outcome in apply(ledger_world, player.bet(1))] == [1]
    vacuumed = "select count(*) from pg_stat_user_tables where last_vacuum is not null"
    assert ledger_world.rows(f"{vacuumed} and relname in ('bet', 'transfer')") == [(2,)]


def test_answers_are_deleted_once_nobody_may_ask_for_them_again(
    ledger_world: World, migrator: str
) -> None:
    answer = (
        "insert into idempotent_request (key_id, name, fingerprint, status, answer, created_at)"
        " values (%s, %s, '', 201, '{}', now() - %s::interval)"
    )
    key = 1_999_999_999  # of no other test
    ages = {
        "new": "0 s",
        "a day": "25 h",
        "almost": "47 h 59 min",
        "old": "48 h 1 s",
        "older": "9 d",
    }
    for name, age in ages.items():
        ledger_world.execute(answer, key, name, age)

    done = run(migrator)

    assert done.exit_code == 0, done.output
    kept = "select name from idempotent_request where key_id = %s order by name"
    left = ledger_world.rows(kept, key)
    assert left == [("a day",), ("almost",), ("new",)]
    told = {one["chore"]: one["did"] for one in json.loads(done.stdout)["chores"]}
    assert told["answers"].startswith("2 ")


def test_a_second_one_at_the_same_time_does_nothing(ledger_world: World, migrator: str) -> None:
    with psycopg.connect(ledger_world.urls.database) as first:
        first.execute("select pg_advisory_lock(5318009)")

        done = run(migrator)

    assert done.exit_code == 0
    [told] = json.loads(done.stdout)["chores"]
    assert "another housekeeping is at work" in told["did"]


def test_what_needs_somebody_is_said_in_a_line_with_its_cure(
    ledger_world: World, migrator: str
) -> None:
    ledger_world.execute("create index of_a_test on journal (key)")
    ledger_world.execute(
        "update pg_index set indisvalid = false where indexrelid = 'of_a_test'::regclass"
    )
    try:
        done = run(migrator)
    finally:
        ledger_world.execute("drop index of_a_test")

    assert done.exit_code == 1
    assert "run `reindex index concurrently of_a_test`" in done.stderr


def test_only_the_owner_of_the_tables_keeps_house(ledger_world: World) -> None:
    done = run(login_url(ledger_world.urls.database, "operator"))

    assert done.exit_code == 1
    assert isinstance(done.exception, NotOwner)
