"""`honcho start` with our Procfile: every process comes up and stays."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx

from embedded import temporary_servers
from tests.service.support.http import http_get
from tests.service.support.patience import START
from tests.service.support.processes import until
from tests.service.support.up_world import environment
from tests.source import ROOT

KEYS = ("BETCORE_JOURNAL_KEY", "BETCORE_OPERATOR_KEY", "BETCORE_SECRETS_KEY")


def test_honcho_start_brings_everything_up_on_an_empty_database_and_nothing_ends(
    tmp_path: Path,
) -> None:
    shutil.copy(ROOT / "Procfile", tmp_path)
    port, dashboard_port, portal_port = _free_ports(3)
    with temporary_servers() as urls:
        # As .env.example has it: honcho reads `.env` of the folder where it is typed.
        values = {name: secrets.token_hex(32) for name in KEYS} | {
            "BETCORE_DASHBOARD_PASSWORD": "secret",
            "BETCORE_DASHBOARD_PORT": str(dashboard_port),
            "BETCORE_PORTAL_PORT": str(portal_port),
            "DATABASE_URL": urls.database,
            "REDIS_URL": urls.redis,
        }
        lines = [f"{name}={value}\n" for name, value in values.items()]
        (tmp_path / ".env").write_text("".join(lines))
        bin_folder = Path(sys.executable).parent
        log = tmp_path / "log"
        with log.open("w") as output:
            started = subprocess.Popen(
                ["honcho", "start", "-p", str(port)],
                cwd=tmp_path,
                env=environment(PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}"),
                stdout=output,
                stderr=output,
            )
        try:
            until(lambda: _is_ok(f"http://127.0.0.1:{port}/readyz"), log.read_text, START)
            for other in (dashboard_port, portal_port):
                url = f"http://127.0.0.1:{other}/healthz"
                until(partial(_is_ok, url), log.read_text, START)
            until(lambda: "taking jobs of queue bets" in log.read_text(), log.read_text, START)
            assert started.poll() is None, log.read_text()
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait()
    assert log.read_text().count(" stopped\n") == 4, log.read_text()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_:
        return [
            open_.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for _ in range(count)
        ]


def _is_ok(url: str) -> bool:
    try:
        return http_get(url).is_success
    except httpx.TransportError:
        return False
