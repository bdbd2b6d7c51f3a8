"""Migrations never stop traffic: the previous release serves while this one migrates its tables."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.service.support import keys
from tests.service.support.databases import fresh_database
from tests.service.support.ledger_copy import written
from tests.service.support.migrating import migrating, older
from tests.service.support.patience import COMMAND, START
from tests.service.support.processes import until
from tests.service.support.world import World
from tests.source import ROOT

#: The last commit whose tables were of this revision. After a release, name its commit here.
PREVIOUS, ITS_REVISION = "cd535d2197f9", "0007"

#: Bets and look-ups without a pause, each of which must succeed, until stdin ends.
SERVES = """
import os, select, sys, uuid
from contextlib import closing
from decimal import Decimal
from models.commands import PayInOut
from models.keys import KeyRing, Purpose
from models.ledger.gateway_reads import GatewayReads
from models.ledger.ledger import Ledger, LedgerConnection

url = os.environ["URL"]
ring = KeyRing.read(Purpose.JOURNAL, os.environ[Purpose.JOURNAL.variable])
ledger = Ledger(LedgerConnection(url, wait_seconds=8, connect_seconds=8), ring.current)
with closing(GatewayReads(url, connect_seconds=8, answer_seconds=8)) as gateway:
    while not select.select([sys.stdin], [], [], 0)[0]:
        bet = PayInOut(1, "session-1", 4, uuid.uuid4().hex, None, Decimal(1), Decimal(1), None)
        [outcome] = ledger.apply([bet], lambda _: True, 5)
        assert outcome.code == 1, outcome
        assert gateway.places(["session-1"]) != [None]
"""


@contextmanager
def previous_release(folder: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the code of that commit, which works on the database."""
    # The tests may run where git or the commit is missing, such as in a copy of the files.
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", PREVIOUS], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip("this is no clone with the commit of the previous release")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    env = os.environ | keys.ENVIRONMENT | {"URL": url, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SERVES]
    with subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def goes_on(url: str, serving: subprocess.Popen[str]) -> None:
    """Wait until twenty more bets are recorded."""
    with psycopg.connect(url, autocommit=True) as connection:

        def bets() -> int:
            [(count,)] = connection.execute("select count(*) from bet").fetchall()
            return int(count)

        wanted = bets() + 20
        until(lambda: bets() >= wanted or serving.poll() is not None, seconds=START)
    assert serving.poll() is None, serving.communicate()[1]


def test_the_previous_release_serves_every_bet_while_its_tables_are_migrated(
    ledger_world: World, tmp_path: Path
) -> None:
    waits = "select count(*) from pg_locks where not granted and locktype = 'relation'"
    with fresh_database(ledger_world) as url:
        older(url, ITS_REVISION)
        written(url)
        with previous_release(tmp_path, url) as serving, psycopg.connect(url) as report:
            goes_on(url, serving)
            # A long report keeps a lock for which the migration waits, and behind it all bets.
            report.execute("select count(*) from transfer")
            with migrating(url) as migration:
                until(lambda: ledger_world.rows(waits)[0][0] > 0, seconds=START)
                goes_on(url, serving)
                report.rollback()
                assert migration.communicate(timeout=COMMAND)[0]
                assert migration.returncode == 0
            goes_on(url, serving)
            said = serving.communicate("stop\n", timeout=START)[1]
            assert serving.returncode == 0, said
