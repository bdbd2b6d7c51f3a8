"""Promises of every `betcore` command: help, one line on failure, a clean end on SIGTERM."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.support import keys
from tests.service.support.patience import COMMAND
from tests.service.support.up_world import Running, betcore
from tests.service.support.world import World

NOWHERE = {
    "DATABASE_URL": "postgresql://me:my-password@127.0.0.1:1/betcore",
    "REDIS_URL": "redis://:my-password@127.0.0.1:1",
}
KEYS = keys.ENVIRONMENT
NO_OPERATOR = {"BETCORE_OPERATOR_KEY": ""}
SHORT_KEY = {"BETCORE_JOURNAL_KEY": "my-password"}


def test_without_a_command_it_says_what_there_is(tmp_path: Path) -> None:
    shown = betcore(cwd=tmp_path)

    assert shown.returncode == 0
    commands = [line.split()[0] for line in shown.stdout.partition("Commands:\n")[2].splitlines()]
    assert commands == [
        "up",
        "migrate",
        "settings",
        "backup",
        "restore",
        "housekeeping",
        "gateway",
        "worker",
        "portal",
        "dashboard",
        "healthy",
        "reconcile",
        "provider",
        "player",
        "games",
        "session",
        "account",
        "bet",
        "ledger",
        "currency",
        "operator",
        "console",
        "queue",
        "audit",
        "report",
    ]


@pytest.mark.parametrize(
    ("command", "environment", "says"),
    [
        (["migrate"], {}, "No servers: set DATABASE_URL and REDIS_URL, or start `betcore up`"),
        (["worker", "--data-dir", "here"], {}, "on here (another folder: --data-dir)"),
        (["worker"], {"BETCORE_DATA_DIR": "here"}, "on here (another folder: --data-dir)"),
        (["worker", "--data-dir", "here"], {"BETCORE_DATA_DIR": "there"}, "on here (another"),
        (["worker"], {"BETCORE_DATA_DIR": ""}, "on .betcore (another folder: --data-dir)"),
        (["migrate"], NOWHERE, 'connection to server at "127.0.0.1", port 1 failed'),
        (["up", "--data-dir", "here"], NOWHERE, 'connection to server at "127.0.0.1", port 1 fail'),
        (["worker"], NOWHERE, "The journal key is missing: set BETCORE_JOURNAL_KEY"),
        (["worker"], NOWHERE | SHORT_KEY, "BETCORE_JOURNAL_KEY must be at least 32 bytes in hex"),
        (["worker"], NOWHERE | KEYS | NO_OPERATOR, "The operator key is missing: set BETCORE_OPER"),
        (["gateway"], NOWHERE | {"BETCORE_SECRETS_KEY": "x"}, "BETCORE_SECRETS_KEY must be at lea"),
        (["worker"], NOWHERE | KEYS, "Redis: Error 111 connecting to 127.0.0.1:1"),
        (["ledger", "seal"], NOWHERE, "The journal key is missing: set BETCORE_JOURNAL_KEY"),
        (["ledger", "verify", "--seal", "x"], NOWHERE | KEYS, "No such file or directory: 'x'"),
        (["dashboard"], NOWHERE, "needs a password: set BETCORE_DASHBOARD_PASSWORD"),
        (["gateway"], NOWHERE | {"DATABASE_URL": "mysql://my-password"}, "DATABASE_URL cannot be"),
        (["gateway"], NOWHERE | {"REDIS_URL": "redis://my-password:x"}, "REDIS_URL cannot be read"),
        (["gateway", "--fd", "99"], NOWHERE, "Bad file descriptor"),
        (["gateway", "--host", "192.0.2.1"], NOWHERE, "Cannot listen at port 8000 of 192.0.2.1"),
    ],
)
def test_a_failure_is_one_line_without_traceback_or_password(
    tmp_path: Path, command: list[str], environment: dict[str, str], says: str
) -> None:
    failed = betcore(*command, cwd=tmp_path, **environment)

    assert failed.returncode == 1
    assert failed.stdout == ""
    *_, line = failed.stderr.splitlines()
    assert line.startswith("betcore: ")
    assert says in line
    assert "Traceback" not in failed.stderr
    assert "my-password" not in failed.stderr


def test_migrate_says_which_revision_the_database_has(world: World, tmp_path: Path) -> None:
    migrated = betcore("migrate", "--json", cwd=tmp_path, **_urls(world))

    assert migrated.returncode == 0
    assert migrated.stderr == ""
    assert json.loads(migrated.stdout) == {
        "revision": world.rows("select version_num from alembic_version")[0][0]
    }


@pytest.mark.parametrize(
    ("command", "running"),
    [
        (["gateway", "--port", "0"], "gateway INFO ready"),
        (["worker", "--name", "a worker"], "a worker INFO taking jobs of queue bets"),
        (["dashboard", "--port", "0"], "dashboard INFO listening"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_ends_cleanly_when_asked_to(
    world: World, tmp_path: Path, command: list[str], running: str, number: signal.Signals
) -> None:
    environment = _urls(world) | {"BETCORE_DASHBOARD_PASSWORD": "secret"}
    with Running(tmp_path, *command, **environment) as process:
        process.says(running)

        assert process.ends(number) == 0
        assert process.out == ""
        assert process.err.splitlines()[-1].endswith(" INFO stopped")


EARLY = """
import os, signal, uvicorn
from api.wallet.app import app_of_environment
from ops.process.until_stopped import until_stopped
from server.bounds import Bounds
from server.uvicorn_server import listen, serve_http

get_loop_factory = uvicorn.Config.get_loop_factory

def interrupted(self):  # asked for before uvicorn has put up its handlers
    os.kill(os.getpid(), signal.SIGINT)
    return get_loop_factory(self)

uvicorn.Config.get_loop_factory = interrupted

with until_stopped("early"), listen("127.0.0.1", 0) as listener:
    serve_http(app_of_environment(), listener, Bounds())
os.kill(os.getpid(), signal.SIGINT)  # one more, as of a terminal that signals a whole group
"""


def test_a_service_that_is_asked_to_stop_while_it_starts_ends_as_cleanly(world: World) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", EARLY],
        env=os.environ | _urls(world),
        capture_output=True,
        text=True,
        timeout=COMMAND,
    )

    assert ended.returncode == 0, ended.stderr
    assert "Warning" not in ended.stderr
    last = json.loads(ended.stderr.splitlines()[-1])  # nobody reads it on a terminal
    assert (last["process"], last["message"]) == ("early", "stopped")


def test_two_workers_of_one_name_are_refused(world: World, tmp_path: Path) -> None:
    name = world.workers[0].name

    second = betcore("worker", "--name", name, cwd=tmp_path, **_urls(world))

    assert second.returncode == 1
    assert second.stderr.splitlines()[-1] == (
        f"betcore: There exists an active worker named '{name}' already"
    )


def test_a_gateway_whose_port_is_taken_says_so(world: World, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = betcore("gateway", "--port", port, cwd=tmp_path, **_urls(world))

    assert refused.returncode == 1
    assert refused.stderr == f"betcore: Port {port} of 127.0.0.1 is taken by another program.\n"


def _urls(world: World) -> dict[str, str]:
    urls = {"DATABASE_URL": world.urls.database, "REDIS_URL": world.urls.redis}
    return urls | KEYS
