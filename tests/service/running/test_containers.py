"""docker-compose.yml, Dockerfile and Procfile name only what exists; checked without Docker."""

import re
import secrets
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError
from typer.main import get_group

from betcore_launcher import OURS
from broker.permissions import GATEWAY
from broker.rq_queue import NothingRequeued, queue_of
from embedded import Urls, temporary_servers
from embedded.binaries import find_postgres
from models.audit.log import operation
from models.database.engine import engine
from models.directory.providers import add_provider
from models.ledger.gateway_reads import GatewayReads
from models.migrate import migrate
from ops.cli import app
from ops.process.health_check import why_unhealthy
from ops.process.probe import in_url
from settings import Settings, variables
from tests.service.support import keys
from tests.service.support.dashboard_world import dashboard, fill, pages
from tests.service.support.migrating import older
from tests.service.support.processes import common_environment
from tests.service.support.up_world import Running, betcore
from tests.service.support.world import World
from tests.source import ROOT

ROLES = ("gateway", "worker", "portal", "dashboard", "operator")
POSTGRES_ROLES = ("migrator", "gateway", "worker", "operator", "replication")
DEPLOY = ROOT / "deploy"
USERS = DEPLOY / "redis" / "users.acl"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """docker-compose.yml as data."""
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_every_container_of_ours_runs_a_command_that_exists(compose: dict[str, Any]) -> None:
    commands = set(get_group(app).commands)

    ours = {name: s for name, s in compose["services"].items() if "build" in s}

    assert compose["services"]["housekeeping"]["command"][0] in commands
    assert set(ours) == {"migrate", "gateway", "worker", "portal", "dashboard"}
    for service in ours.values():
        assert service["command"][0] in commands


def test_every_process_of_the_procfile_is_a_command_that_exists() -> None:
    commands = set(get_group(app).commands)
    lines = (ROOT / "Procfile").read_text().splitlines()

    processes = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))

    assert {"web", "worker", "portal", "dashboard"} <= set(processes)
    for command in processes.values():
        program, name, *_ = command.split()
        assert program == "betcore"
        assert name in commands


def test_every_service_that_stays_has_a_health_check_and_waits_for_what_it_needs(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]

    for name, service in services.items():
        stays = service["restart"] == "unless-stopped"
        assert bool(service["healthcheck"].get("test")) == stays, name
    for name in ("gateway", "worker", "portal", "dashboard"):
        waits = services[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["redis"]["condition"] == "service_healthy"


def test_redis_keeps_what_it_accepted_and_forgets_nothing_to_make_room(
    compose: dict[str, Any],
) -> None:
    command = compose["services"]["redis"]["command"]

    options = dict(zip(command[::2], command[1::2], strict=True))

    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"


def test_every_variable_has_a_line_in_the_example_and_none_is_a_password() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()

    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    offered = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))

    assert used <= offered
    assert not [name for name in used if re.search("PASSWORD|KEY|URL", name)]
    assert re.findall(r"^[A-Z_]+=(.+)$", example, re.MULTILINE) == []


def test_the_example_says_truly_who_reads_what() -> None:
    _, of_honcho, of_compose = re.split(
        r"^# For .* only:.*$", (ROOT / ".env.example").read_text(), flags=re.MULTILINE
    )

    def names(text: str) -> set[str]:
        return set(re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE))

    assert {"DATABASE_URL", "REDIS_URL"} < names(of_honcho) <= variables()
    assert names(of_compose)
    assert names(of_compose) & variables() == set()


def test_the_image_holds_what_runs_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S.*) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M)

    files = {name for line in copied for name in line.split()}

    assert files == set(allowed)
    for name in files:
        assert (ROOT / name).exists(), name


def test_the_image_and_the_launcher_have_every_package_that_is_installed() -> None:
    copied = re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.M)
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]

    packages = {name.removesuffix("*") for name in found["find"]["include"]}

    assert set(copied) == packages
    assert packages == OURS


def test_each_role_can_do_its_work_with_its_own_redis_user_and_no_more(tmp_path: Path) -> None:
    with temporary_servers() as urls, Redis.from_url(urls.redis) as admin:
        as_role = redis_users(tmp_path, urls, admin)
        world = World(urls)
        try:
            world.gateway(REDIS_URL=as_role["gateway"])
            world.worker(REDIS_URL=as_role["worker"])
            player = world.open_session(world.provider())
            answer = player.pay_in_out(10, 5, betId="a")

            assert answer.code == 1
            assert player.balance().code == player.client.status("a").code == 1
            with Redis.from_url(as_role["gateway"]) as gateway:
                gateway.hdel("betcore:in_flight", "1:what it does unseen")
            assert not why_unhealthy("worker", Settings(redis_url=as_role["worker"]))
            with queue_of(Settings(redis_url=as_role["portal"])) as queue:  # as the console does
                queue.suspend(60)
                assert queue.state().suspended
                assert queue.resume()
                assert queue.failed(10) == []
                with pytest.raises(NothingRequeued):
                    queue.requeue("nothing")
            for role in ("gateway", "worker", "portal", "dashboard"):
                with Redis.from_url(as_role[role]) as redis:
                    for forbidden in ("FLUSHALL", "CONFIG GET dir", "ACL LIST", "SHUTDOWN"):
                        with pytest.raises(NoPermissionError):
                            redis.execute_command(*forbidden.split())
        finally:
            world.close()


def test_the_gateways_user_of_redis_has_the_rights_that_gateways_ask_for_and_no_more() -> None:
    users = USERS.read_text().splitlines()
    (gateway,) = [line.split() for line in users if line.split()[:2] == ["user", "gateway"]]

    rights = {word[1:].upper() for word in gateway if word.startswith("+")}

    connecting = {"AUTH", "SELECT", "PING", "INFO", "EVAL", "EVALSHA", "SCRIPT|LOAD"}
    assert rights == {*GATEWAY, "SET", "TIME", *connecting}


@pytest.mark.parametrize("made_by_administrator", [False, True])
def test_the_logins_that_compose_makes_can_do_their_work(made_by_administrator: bool) -> None:
    script = (DEPLOY / "postgres" / "logins.sql").read_text()
    passwords = {role: secrets.token_hex(8) for role in POSTGRES_ROLES}
    with temporary_servers() as urls:
        if made_by_administrator:
            older(urls.database, "0003")
        for _ in range(2):  # it may run again
            run_psql(urls, script, passwords)
        as_role = {
            role: urlsplit(urls.database)._replace(netloc=f"{role}:{passwords[role]}@").geturl()
            for role in POSTGRES_ROLES
        }

        migrate(as_role["migrator"])

        gateway = GatewayReads(as_role["gateway"], connect_seconds=2, answer_seconds=8)
        assert gateway.places(["none"]) == [None]
        gateway.close()
        with operation(as_role["operator"], keys.AUTHOR) as database:
            add_provider(database, "of compose", keys.CIPHER)
        with psycopg.connect(as_role["worker"]) as worker:
            worker.execute("select nextval('ledger_ids')")
        engine(as_role["operator"]).dispose()


def run_psql(urls: Urls, script: str, passwords: dict[str, str]) -> None:
    """Run a script as the container `logins` does."""
    parts = conninfo_to_dict(urls.database)
    environment = {f"{role.upper()}_PASSWORD": password for role, password in passwords.items()}
    environment |= {f"PG{name.upper()}": str(parts[name]) for name in ("host", "user", "password")}
    done = subprocess.run(
        [find_postgres()[0] / "psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"],
        env=environment | {"PGDATABASE": "betcore"},
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_dashboard_shows_every_page_with_its_own_redis_user_and_can_change_nothing(
    tmp_path: Path,
) -> None:
    with temporary_servers(postgres=False) as urls, Redis.from_url(urls.redis) as admin:
        fill(admin, urls.redis)
        url = redis_users(tmp_path, urls, admin)["dashboard"]
        admin.set("rq:suspended", 1)

        with dashboard(url) as client:
            assert "The queue is suspended" in client.get("/").text
            for path in pages(admin):
                assert client.get(path).status_code == 200, path

        assert_reads_only(admin, "dashboard")


def redis_users(folder: Path, urls: Urls, admin: Any) -> dict[str, str]:
    """Make the users as the container `redis` does; the URL of each."""
    passwords = {role: secrets.token_hex(8) for role in ROLES}
    for role, password in passwords.items():
        (folder / f"redis_{role}_password").write_text(f"{password}\n")
    server = folder / "valkey-server"  # start.sh ends in it
    server.write_text("#!/bin/sh\nexit 0\n")
    server.chmod(0o755)
    made = folder / "made.acl"
    told = {"SECRETS": f"{folder}", "USERS": f"{USERS}", "ACL_FILE": f"{made}"}
    told["PATH"] = f"{folder}:/usr/bin:/bin"  # its own valkey-server first
    subprocess.run(["sh", DEPLOY / "redis" / "start.sh"], env=told, check=True)
    for line in made.read_text().splitlines():
        _, user, *rules = line.split()
        if user != "default":
            admin.execute_command("ACL", "SETUSER", user, "reset", *rules)
    return {
        role: urls.redis.replace("unix://", f"unix://{role}:{passwords[role]}@") for role in ROLES
    }


def assert_reads_only(admin: Any, user: str) -> None:
    """The user can put nothing on a queue, in whatever way, and read nothing but RQ's keys."""

    def judged(name: str) -> Iterator[str]:
        for number in range(9):  # as many arguments as it takes
            with suppress(ResponseError):
                answer = admin.execute_command("ACL", "DRYRUN", user, name, *["rq:x"] * number)
                yield "may" if answer in (b"OK", True) else "may not"

    def named(category: str) -> list[str]:
        names = admin.command_list(category=category)
        return [name.decode() for name in names if b"|" not in name]

    changing = {*named("write"), *named("scripting"), *named("pubsub"), "function", "monitor"}
    assert {"rpush", "hset", "set", "eval", "fcall", "publish"} < changing
    found = {name: set(judged(name)) for name in changing}
    assert [name for name, judgements in found.items() if "may" in judgements] == []
    assert sum(judgements == {"may not"} for judgements in found.values()) > 80
    assert "may" in judged("hgetall")
    assert admin.execute_command("ACL", "DRYRUN", user, "HGETALL", "betcore:memory") != b"OK"


def test_health_says_no_for_what_does_not_run() -> None:
    nowhere = Settings(redis_url="unix:///nowhere/redis", gateway_port=1, dashboard_port=1)

    assert why_unhealthy("gateway", nowhere)
    assert why_unhealthy("worker", nowhere)
    assert why_unhealthy("dashboard", nowhere)


def test_health_says_yes_for_a_gateway_that_is_ready(world: World) -> None:
    port = int(world.gateways[0].url.rpartition(":")[2])

    assert not why_unhealthy("gateway", Settings(gateway_port=port))


@pytest.mark.parametrize("host", ["127.0.0.2", "::1", "::"])
def test_health_asks_where_the_gateway_is_set_to_listen(
    world: World, tmp_path: Path, host: str
) -> None:
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    set_so = common_environment(world.urls, "gateway") | {"BETCORE_GATEWAY_HOST": host}
    with Running(tmp_path, "gateway", "--port", "0", **set_so) as gateway:
        gateway.says("gateway INFO ready")
        address, port = _listening(gateway.err)
        elsewhere_host = "127.0.0.3"
        there = {"BETCORE_GATEWAY_HOST": host, "BETCORE_GATEWAY_PORT": port}

        healthy_there = betcore("healthy", "gateway", cwd=tmp_path, **there)
        elsewhere = betcore("healthy", "gateway", "--host", elsewhere_host, cwd=tmp_path, **there)

    assert address == in_url(host)
    assert (healthy_there.returncode, healthy_there.stderr) == (0, "")
    assert elsewhere.returncode == 1
    assert elsewhere.stderr.startswith(
        f"betcore: gateway: http://{elsewhere_host}:{port}/readyz does not answer: "
    )


def _listening(log: str) -> tuple[str, str]:
    found = re.search(r"listening at http://(\S+):(\d+)$", log, re.MULTILINE)
    assert found, log
    return found[1], found[2]


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
