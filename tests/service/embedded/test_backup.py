"""Backup and restore, rehearsed: to a moment between two bets, verified and reconciled."""

import json
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from embedded import embedded_servers
from embedded.backup import backups
from embedded.errors import BackupFailed, EmbeddedError
from models.audit.adopt import adopt
from models.database.engine import engine
from models.keys import NoKey
from models.migrate import migrate
from ops.cli import app
from ops.keys import make_keys
from ops.logins import login_url, make_logins
from settings import Settings, settings
from tests.service.support import keys
from tests.service.support.journaled_ledger import bet, ledger_of
from tests.service.support.ledger_copy import LedgerCopy, written
from tests.service.support.patience import START
from tests.service.support.processes import until
from tests.service.support.up_world import Running


def run(*arguments: object, **env: str) -> Result:
    """Run a command of `betcore` that finds its servers in a data folder."""
    settings.cache_clear()
    nothing: dict[str, str | None] = {"DATABASE_URL": None, "REDIS_URL": None}
    try:
        return CliRunner(env=nothing | keys.ENVIRONMENT | env).invoke(app, [*map(str, arguments)])
    finally:
        settings.cache_clear()


def said(*arguments: object) -> dict[str, object]:
    """What a command prints that succeeds."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, (done.exception, done.output)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@contextmanager
def serving(folder: Path) -> Iterator[LedgerCopy]:
    """The embedded PostgreSQL on a data folder, with the logins of `betcore up`."""
    with embedded_servers(folder, redis=False, durable=False) as urls:
        make_logins(urls.database)
        yield LedgerCopy(urls.database)
        for login in ("operator", "migrator"):
            engine(login_url(urls.database, login)).dispose()
        engine(urls.database).dispose()


def play(ledger_copy: LedgerCopy, *bet_ids: str) -> list[int]:
    """One bet after the other, each in a transaction of its own; the ids of its transfers."""
    with ledger_of(ledger_copy) as ledger:
        outcomes = [ledger.apply([bet(one)], lambda _: True, 30)[0] for one in bet_ids]
    assert all(outcome and outcome.code == 1 for outcome in outcomes)
    return [int(id_) for outcome in outcomes if outcome for id_ in outcome.ids]


def clock(ledger_copy: LedgerCopy) -> str:
    """The time of the server."""
    with psycopg.connect(ledger_copy.url) as connection:
        [(now,)] = connection.execute("select clock_timestamp()").fetchall()
    return str(now.isoformat())


def draw_ids(ledger_copy: LedgerCopy, blocks: int) -> None:
    """Draw blocks of ids, as many workers do."""
    with psycopg.connect(ledger_copy.url) as connection:
        draw = "select nextval('ledger_ids') from generate_series(1, %s)"
        assert len(connection.execute(draw, [blocks]).fetchall()) == blocks


def is_copied(ledger_copy: LedgerCopy) -> bool:
    """Whether `--follow` has copied all that was written until now."""
    copied = """
        select count(*) from pg_stat_replication
        where application_name = 'pg_receivewal' and flush_lsn >= pg_current_wal_flush_lsn()
    """
    with psycopg.connect(ledger_copy.url) as connection:
        return connection.execute(copied).fetchall() == [(1,)]


def told(restored: Result, begins: str, places: dict[str, object]) -> list[object]:
    """The command that begins so, as a restore tells to type it, with what stands for its names."""
    (line,) = [line for line in restored.stderr.splitlines() if f"betcore {begins}" in line]
    _, *words = shlex.split(line)
    return [places.get(word, word) for word in words]


@dataclass
class Rehearsal:
    """A data folder that was backed up between its bets, and what is known of it."""

    folder: Path
    moment: str = ""  # after the bets `kept`, before the bets `lost`
    last_id: int = 0  # the last transfer that a provider was told of

    @property
    def backups(self) -> Path:
        """The folder of the backups."""
        return self.folder / "backups"

    def restore(self, to: str, *more: object) -> Result:
        """Restore into a folder of this name."""
        return run("restore", "--from", self.backups, "--to", self.folder / to, *more)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    """Bets, a backup, bets, a seal, a moment, bets that will be lost, the rest of the log."""
    folder = Path(tempfile.mkdtemp(prefix="betcore-test-", dir="/tmp"))
    folder.chmod(0o711)
    found = Rehearsal(folder)
    data = ("--data-dir", folder / "data")
    try:
        with serving(folder / "data") as ledger_copy:
            migrate(ledger_copy.url)
            adopt(written(ledger_copy.url).url, keys.JOURNAL.current, keys.AUTHOR)
            play(ledger_copy, "before")
            said("backup", "--to", found.backups, *data)
            assert said("backup", "--to", found.backups, "--keep", 1, *data)["removed"] == 1
            play(ledger_copy, "kept 1", "kept 2")
            assert run("ledger", "seal", "--out", folder / "seal", *data).exit_code == 0
            found.moment = clock(ledger_copy)
            follow = ("backup", "--to", str(found.backups), "--follow", *map(str, data))
            with Running(folder, *follow) as following:
                play(ledger_copy, "lost 1")
                said("backup", "--to", found.backups, *data)  # beside it
                until(lambda: is_copied(ledger_copy), lambda: following.err, START)
                assert following.ends(signal.SIGTERM) == 0, following.err
            draw_ids(ledger_copy, blocks=100)  # PostgreSQL itself skips some after a recovery
            found.last_id = max(play(ledger_copy, "lost 2"))
            said("backup", "--to", found.backups, "--wal", *data)
        yield found
    finally:
        shutil.rmtree(folder)


def test_a_restored_moment_verifies_with_the_seal_and_lacks_exactly_the_later_bets(
    rehearsal: Rehearsal,
) -> None:
    restored = rehearsal.restore("then", "--time", rehearsal.moment)
    assert restored.exit_code == 0

    listed = rehearsal.folder / "bets.csv"
    names = ("b4", "before", "kept 1", "kept 2", "lost 1", "lost 2")
    listed.write_text("betId\n" + "\n".join(names) + "\n")
    places = {"SEAL": rehearsal.folder / "seal", "ID": "one", "bets.csv": listed}
    with serving(rehearsal.folder / "then") as ledger_copy:
        verified = said(*told(restored, "ledger verify", places))
        compared = run(*told(restored, "reconcile", places), "--json")
        new_ids = play(ledger_copy, "after")

    assert verified["ok"] is True
    assert compared.exit_code == 1
    differences = json.loads(compared.stdout)["differences"]
    assert {(one["difference"], one["betId"]) for one in differences} == {
        ("missing_here", "lost 1"),
        ("missing_here", "lost 2"),
    }
    assert min(new_ids) > rehearsal.last_id, "a provider has this transaction id already"


def test_without_a_time_a_restore_has_the_last_bet_that_was_copied(rehearsal: Rehearsal) -> None:
    assert rehearsal.restore("now").exit_code == 0

    with serving(rehearsal.folder / "now") as ledger_copy, psycopg.connect(ledger_copy.url) as read:
        found = read.execute("select bet_id from bet order by created_at, id").fetchall()

    assert [name for (name,) in found][-2:] == ["lost 1", "lost 2"]
    assert not (rehearsal.folder / "now" / "redis").exists()


def test_a_restore_overwrites_nothing_and_a_moment_that_is_not_covered_is_refused(
    rehearsal: Rehearsal,
) -> None:
    full = rehearsal.folder / "full"
    full.mkdir()
    (full / "mine").touch()
    assert "exists already" in refused(rehearsal.restore("full"))
    assert [*full.iterdir()] == [full / "mine"]

    assert "no backup before" in refused(rehearsal.restore("old", "--time", "2020-01-01"))
    assert not (rehearsal.folder / "old").exists()

    late = ("late", "--time", "2100-01-01")
    assert "ends before that moment" in refused(rehearsal.restore(*late))
    assert not (rehearsal.folder / "late").exists()
    assert "unfinished restore" in refused(rehearsal.restore(*late))
    with (
        pytest.raises(EmbeddedError, match="unfinished restore"),
        embedded_servers(rehearsal.folder / "late.unfinished", redis=False),
    ):
        pass


def test_a_backup_that_was_killed_is_not_taken_for_a_whole_one(rehearsal: Rehearsal) -> None:
    whole = backups(rehearsal.backups)[0]
    killed = rehearsal.folder / "killed"
    shutil.copytree(whole.folder, killed / f"{whole.folder.name}.unfinished")

    done = run("restore", "--from", killed, "--to", rehearsal.folder / "of-killed")

    assert "no finished backup" in refused(done)
    assert not (rehearsal.folder / "of-killed").exists()


def test_a_backup_has_no_key_and_a_restored_folder_asks_for_the_keys_instead_of_making_new_ones(
    rehearsal: Rehearsal,
) -> None:
    names = {path.name for path in rehearsal.backups.rglob("*")}
    assert not [name for name in names if name.endswith("-key") or "password" in name]

    restored = rehearsal.folder / "then"
    if not restored.exists():
        assert rehearsal.restore("then", "--time", rehearsal.moment).exit_code == 0
    with pytest.raises(NoKey, match="journal-key, operator-key, secrets-key"):
        make_keys(Settings(data_dir=restored))


def test_a_restored_server_does_not_write_among_the_backups_of_its_origin(
    rehearsal: Rehearsal,
) -> None:
    if not (rehearsal.folder / "now").exists():
        assert rehearsal.restore("now").exit_code == 0
    before = sorted(rehearsal.backups.rglob("*"))

    with serving(rehearsal.folder / "now"):
        for more in ([], ["--wal"]):
            data = ("--data-dir", rehearsal.folder / "now")
            assert "choose another" in refused(
                run("backup", "--to", rehearsal.backups, *more, *data)
            )

    assert sorted(rehearsal.backups.rglob("*")) == before


def test_a_server_of_your_own_is_left_to_its_own_tools(tmp_path: Path) -> None:
    done = run("backup", "--to", tmp_path / "b", DATABASE_URL="postgresql://me@host/bets")

    assert "its own tools" in refused(done)
    assert not (tmp_path / "b").exists()


def test_after_a_gap_in_the_log_a_new_backup_is_asked_for_and_goes_on(rehearsal: Rehearsal) -> None:
    command = ("backup", "--to", rehearsal.backups, "--data-dir", rehearsal.folder / "data")
    with serving(rehearsal.folder / "data") as ledger_copy:
        with psycopg.connect(ledger_copy.url) as connection:
            connection.execute("select pg_drop_replication_slot('betcore_backup')")
        assert "make a new backup" in refused(run(*command, "--wal"))

        said(*command)
        play(ledger_copy, "after the gap")
        said(*command, "--wal")

    assert rehearsal.restore("before-gap", "--time", rehearsal.moment).exit_code == 0


def refused(done: Result) -> str:
    """Why a command failed, in one line."""
    assert done.exit_code == 1, done.output
    assert done.exception is not None
    assert isinstance(done.exception, BackupFailed) or "NotEmbedded" in repr(done.exception)
    return str(done.exception)
