"""Promises of `betcore up`: ready means ready, what ends starts again, nothing is left over."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from embedded import running
from embedded.restore import RESTORED
from tests.service.portal.person import Person
from tests.service.support.http import http_get
from tests.service.support.processes import until
from tests.service.support.up_world import Up, betcore, environment, gone

CHILDREN = ("gateway", "worker")  # those that log in to PostgreSQL
# What a user pastes the snippet into, and what it calls: not ours to install.
TOOLS = ("bash", "openssl", "curl", "date", "cut")
#: A variable that a shell may have, and that only workers need.
ONE_KEY = {"BETCORE_OPERATOR_KEYS_OLD": "0f" * 32}

with_tools = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"the snippet is for a machine with {TOOLS}"
)


def folder() -> Iterator[Path]:
    """A folder in /tmp itself, where the account that root runs PostgreSQL as can reach it."""
    made = Path(tempfile.mkdtemp(prefix="betcore-test-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


shared_folder = pytest.fixture(folder, scope="module", name="shared_folder")
own_folder = pytest.fixture(folder, name="own_folder")


@pytest.fixture(scope="module")
def up(shared_folder: Path) -> Iterator[Up]:
    """One that has been started for the first time; it must be left as it was."""
    with Up(shared_folder, **ONE_KEY) as started:
        started.says("serving;")
        yield started
        started.ends(signal.SIGTERM)


def answers(up: Up) -> Decimal:
    """Send a PayInOut of 1 for 1 as the demo provider, which must succeed; the balance."""
    client, session_id = up.client()
    with client.http:
        answer = client.pay_in_out(session_id, betId=uuid.uuid4().hex, betAmount=1, winAmount=1)
    assert (answer.status, answer.code) == (200, 1), answer
    balance = answer.body["balance"]
    assert isinstance(balance, Decimal)
    return balance


def test_the_first_start_shows_a_signed_bet_and_nothing_else_on_stdout(up: Up) -> None:
    addresses, _, text = up.out.partition(
        "\n\nThis signed PayInOut was just sent as the demo provider:\n"
    )

    at = dict(line.split(": ", 1) for line in addresses.splitlines())
    assert at["ready"] == up.url
    assert at["operator API"].startswith("http://127.0.0.1:")
    assert at["dashboard"].startswith("http://127.0.0.1:")
    assert at["operator API"].endswith(f"NAME --scope all --data-dir {up.data}")
    assert re.search(r"^  POST /v1/sessions/[0-9a-f]{32}/bets/pay-in-out HTTP/1.1$", text, re.M)
    assert re.search(r"^  X-Sign: [0-9a-f]{64}$", text, re.M)
    assert re.search(r'^  {"betId":"demo-.*","betAmount":"10.5","winAmount":"55.25"}$', text, re.M)
    assert re.search(r'^  {.*"balance":1588.5,"_responseCode":1}$', text, re.M)
    assert not re.search(r"\d\d:\d\d:\d\d|INFO|WARNING", up.out)  # no log line


def test_the_password_that_is_printed_opens_the_dashboard(up: Up) -> None:
    url, user, password = up.dashboard

    assert http_get(url).status_code == 401
    assert http_get(url, auth=(user, password), follow_redirects=True).status_code == 200


def test_the_password_that_is_printed_opens_the_console(up: Up) -> None:
    printed = re.search(r"^console: (\S+)/console/  user: (\S+)  password: (\S+)$", up.out, re.M)
    assert printed
    admin = Person(printed[1].removesuffix("/console"), printed[2], printed[3])
    with admin.http:
        assert admin.log_in().status_code == 303
        assert up.dashboard[0] in admin.get("/queue").text


def test_secrets_in_the_data_folder_are_for_its_owner_only(up: Up) -> None:
    for name in ("demo.json", "dashboard-password", "journal-key", "operator-key", "secrets-key"):
        assert stat.S_IMODE((up.data / name).stat().st_mode) == 0o600


def test_each_process_has_only_the_keys_that_it_needs(up: Up) -> None:
    (variable,) = ONE_KEY

    assert variable in up.environment("worker")
    assert variable not in up.environment("gateway") | up.environment("dashboard")


def test_each_child_logs_in_as_what_it_is_and_the_dashboard_has_no_database(up: Up) -> None:
    of = {kind: up.environment(kind) for kind in (*CHILDREN, "dashboard")}

    assert "DATABASE_URL" not in of["dashboard"]
    for kind in CHILDREN:
        assert urlsplit(of[kind]["DATABASE_URL"]).username == kind
    urls = running(up.data)
    assert urls
    with psycopg.connect(urls.database) as asking:
        users = {
            user
            for (user,) in asking.execute(
                "select usename from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
        }
    assert set(CHILDREN) <= users <= {*CHILDREN, "operator"}


def test_no_password_of_the_database_is_on_a_command_line_or_in_what_it_says(up: Up) -> None:
    secrets = [urlsplit(up.environment(kind)["DATABASE_URL"]).password for kind in CHILDREN]
    secrets.append((up.data / "postgres" / "superuser-password").read_text().strip())
    said = [up.out, up.err, *(Path(f"/proc/{pid}/cmdline").read_text() for pid in up.tree())]

    assert all(secret and len(secret) >= 32 for secret in secrets)
    assert not [text for text in said for secret in secrets if secret and secret in text]


def test_what_it_writes_is_vouched_for_by_the_key_it_made(up: Up) -> None:
    answers(up)

    verified = betcore("ledger", "verify", "--json", "--data-dir", "data", cwd=up.data.parent)

    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["journal"]["rows"] > 0


@with_tools
def test_the_snippet_pasted_into_bash_sends_a_new_bet_each_time(up: Up) -> None:
    snippet = up.out[up.out.index("(\n") : up.out.index("\n)\n") + 3]

    pasted = subprocess.run(
        ["bash"], input=snippet * 2, env=environment(), capture_output=True, text=True, check=True
    )

    assert pasted.stderr == ""
    first, second = map(json.loads, pasted.stdout.splitlines())
    assert (first["_responseCode"], second["_responseCode"]) == (1, 1)
    assert second["betTransactionId"] != first["betTransactionId"]


@pytest.mark.parametrize(
    ("kind", "number", "how"),
    [
        ("gateway", signal.SIGKILL, "killed by SIGKILL"),
        ("gateway", signal.SIGTERM, "exit 0"),
        ("worker", signal.SIGKILL, "killed by SIGKILL"),
        ("worker", signal.SIGTERM, "exit 0"),
        ("dashboard", signal.SIGKILL, "killed by SIGKILL"),
    ],
)
def test_a_child_that_ends_is_started_again_and_it_is_said(
    up: Up, kind: str, number: signal.Signals, how: str
) -> None:
    before = up.children(kind)
    said = len(up.err)

    os.kill(before[0], number)
    gone(before[:1])

    # Asked at once: a connection waits in the socket that `up` keeps open for the next gateway.
    answers(up)
    until(lambda: len(set(up.children(kind)) - {before[0]}) == len(before))
    assert re.search(rf"{kind}\S* ended \({how}\) and is started again", up.err[said:])
    url, user, password = up.dashboard
    until(lambda: _is_ok(url, (user, password)))


def test_a_server_that_ends_is_started_again_and_everything_goes_on(up: Up) -> None:
    balance = answers(up)
    (valkey,) = (pid for pid in up.tree() if _name(pid) == "valkey-server")

    os.kill(valkey, signal.SIGKILL)

    up.says("Valkey ended")
    until(lambda: _is_ok(f"{up.url}/readyz"))
    assert answers(up) == balance


def test_a_second_start_on_a_busy_folder_says_so(up: Up) -> None:
    second = betcore(
        "up", "--port", "0", "--dashboard-port", "0", "--data-dir", str(up.data), cwd=up.data
    )

    assert second.returncode == 1
    assert f"the data folder {up.data} is in use" in second.stderr.splitlines()[-1]
    answers(up)


def test_all_taken_ports_are_said_at_once_and_nothing_is_started(own_folder: Path) -> None:
    options = ("--dashboard-port", "--portal-port", "--port", "--metrics-port")
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in options]
        ports = [str(one.getsockname()[1]) for one in taken]
        chosen = [word for pair in zip(options, ports, strict=True) for word in pair]
        tried = betcore("up", *chosen, "--data-dir", "data", cwd=own_folder)

    assert (tried.returncode, tried.stdout) == (1, "")
    others = ["port: --dashboard-port", "port: --portal-port", "port: --port"]
    others.append("first port: --metrics-port")
    said = [
        f"Port {port} of 127.0.0.1 is taken by another program. Stop that, or choose "
        f"another {other}."
        for port, other in zip(ports, others, strict=True)
    ]
    assert tried.stderr == f"betcore: {' '.join(said)}\n"
    assert list((own_folder / "data").iterdir()) == []


def test_sigterm_leaves_no_process_and_a_restored_folder_goes_on_with_its_money_and_no_demo(
    own_folder: Path,
) -> None:
    with Up(own_folder, "--gateways", "2", "--workers", "1") as first:
        first.says("serving;")
        demo = (first.data / "demo.json").read_text()
        balance = answers(first)
        tree = first.tree()

        assert first.ends(signal.SIGTERM) == 0
        gone(tree, seconds=0)

    (own_folder / "data" / RESTORED).write_text("{}")  # as `betcore restore` leaves it
    with Up(own_folder) as second:
        assert answers(second) == balance  # sent as soon as it says that it is ready
        assert (second.data / "demo.json").read_text() == demo
        until(lambda: "dashboard: " in second.out)
        second.says("no demo: ")
        assert "This signed PayInOut" not in second.out
        assert second.dashboard[2] == f"in {second.data}/dashboard-password"
        tree = second.tree()

        assert len(second.children("worker")) == 2
        assert second.ends(signal.SIGKILL) == -signal.SIGKILL
        gone(tree)


def test_what_never_gets_ready_is_said_and_stopped(own_folder: Path) -> None:
    with Up(own_folder, "--workers", "1", REDIS_URL="redis://127.0.0.1:1") as up:
        up.says("starting gateway-1")
        tree = up.tree()

        assert up.ends() == 1
        assert up.out == ""
        assert "Redis: Error 111 connecting to 127.0.0.1:1" in up.err
        assert re.search(r"^betcore: worker-\d keeps ending \(exit 1\)", up.err, re.M)
        gone(tree, seconds=0)


def _is_ok(url: str, auth: tuple[str, str] | None = None) -> bool:
    try:
        return http_get(url, auth=auth, follow_redirects=True).is_success
    except httpx.TransportError:
        return False


def _name(pid: int) -> str:
    """The name of a process's program."""
    try:
        return Path(f"/proc/{pid}/exe").resolve().name
    except OSError:
        return ""
