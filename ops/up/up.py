"""`betcore up`: everything on one machine, as child processes of one supervisor."""

import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import typer

from embedded.places import private_folder
from models.database.engine import engine
from models.errors import BetcoreError
from models.keys import KeyRing, Purpose, require_ring
from models.migrate import migrate
from models.private_files import write_private
from ops.commands.processes import PASSWORD_FILE, dashboard_password
from ops.keys import make_keys, require_keys
from ops.process.probe import reachable
from ops.process.sandbox import settle_sandbox
from ops.process.signals import Signals, StopRequested
from ops.process.supervisor import Role, Supervisor
from ops.process.until_stopped import log_as_set
from ops.terminal.failures import failures, in_one_line
from ops.terminal.options import allowed_on_trial, configuration
from ops.terminal.typed import to_type
from ops.up import demo as demos
from ops.up.first_user import first_user
from ops.up.ports import Wished, open_ports
from ops.up.readiness import not_ready
from ops.up.sandbox import DATA_DIR, sandbox_environment
from ops.up.servers import Servers
from ops.up.targets import write_targets
from ops.urls import readable
from server.uvicorn_server import STOP_WITHIN_SECONDS
from settings import Settings, known, variable, with_files

_LOG = logging.getLogger("betcore.up")
_READY_WITHIN_SECONDS = 300.0  # on a slow and busy machine; a child that keeps ending fails sooner
_SAY_EVERY_SECONDS = 15.0  # how often it logs what it waits for
_ENDS_MAX = 3  # of one child before all are ready: it would keep ending
_LOOK_EVERY_SECONDS = 0.05
_CHECK_SERVERS_EVERY_SECONDS = 1.0
_KINDS = ("gateway", "portal", "worker", "dashboard")  # in the order in which they are stopped
_LOGINS = ("gateway", "worker", "operator")  # of children, to PostgreSQL
_PASSWORD_BYTES = 18
# Variables that only one kind of child may see. For the keys see `_all_keys_but`.
_DATABASE = frozenset({"DATABASE_URL", "DATABASE_READ_URL"})
_OF_DASHBOARD = frozenset({"BETCORE_DASHBOARD_PASSWORD"})
_OF_REDIS = with_files(["REDIS_URL"])


class NotReady(BetcoreError):  # noqa: N818
    """What was started did not become ready."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for."""

    ports: Wished
    workers: int
    gateways: int
    demo: bool
    sandbox: bool
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to run. `settings` name the servers and the addresses to listen at."""

    settings: Settings  # an operator's, for the work of this process; `data_dir` is absolute
    database_urls: Mapping[str, str]  # by the login
    workers: int
    gateways: int
    demo: bool
    metrics_ports: Mapping[str, int]  # by the name of the child

    def given(self, login: str, name: str) -> dict[str, str]:
        """The environment variables of one child."""
        port = str(self.metrics_ports[name])
        return {"DATABASE_URL": self.database_urls[login], "BETCORE_METRICS_PORT": port}


def run(wishes: Wishes) -> None:
    """Run everything until SIGTERM, SIGINT or SIGHUP. No process is left when this returns.

    Raises NotReady, CannotListen, and the errors of servers and migrations.
    """
    log_as_set("up")
    with Signals() as signals, suppress(StopRequested), ExitStack() as stack:
        with signals.droppable():
            ports = open_ports(_configured(wishes), wishes.ports, _with_metrics(wishes))
            listener = stack.enter_context(ports.gateways)
            servers = stack.enter_context(Servers(ports.settings))
            chosen = servers.settings_for("operator")
            for file in make_keys(chosen):
                _LOG.info("made a key: keep a copy of %s", file)
            with_keys = require_keys(chosen, Purpose.OPERATOR, Purpose.SECRETS)
            plan = _Plan(
                with_keys,
                {kind: servers.settings_for(kind).database_url for kind in _LOGINS},
                wishes.workers,
                wishes.gateways,
                demos.wanted(with_keys.data_dir, wishes.demo),
                ports.metrics,
            )
            secret_keys = require_ring(with_keys, Purpose.SECRETS)
            _LOG.info("the database is at revision %s", _migrated(servers, secret_keys))
            settle_sandbox(with_keys)
        _serve(plan, listener, servers, signals)
    _LOG.info("stopped")


def _configured(wishes: Wishes) -> Settings:
    """The settings, with the data folder. A sandbox has one of its own unless one is named."""
    found = configuration(wishes.data_dir)
    sandbox = found.sandbox or wishes.sandbox
    named = wishes.data_dir is not None or "data_dir" in found.model_fields_set
    folder = found.data_dir if named or not sandbox else DATA_DIR
    update = {"data_dir": private_folder(folder), "sandbox": sandbox}
    return readable(found.model_copy(update=update))


def _with_metrics(wishes: Wishes) -> list[str]:
    """The names of the children that serve metrics."""
    gateways, workers = _names("gateway", wishes.gateways), _names("worker", wishes.workers)
    return [*gateways, *workers, "portal"]


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number + 1}" for number in range(count)]


def _migrated(servers: Servers, secret_keys: KeyRing) -> str:
    """Migrate the database to the newest revision. Returns that revision."""
    url = servers.settings_for("migrator").database_url
    try:
        return migrate(url, secret_keys)
    finally:
        engine(url).dispose()  # nothing here needs the migrator's rights any more


def _serve(plan: _Plan, listener: socket.socket, servers: Servers, signals: Signals) -> None:
    """Run the children until asked to stop. No child is left when this returns or raises."""
    password, is_new = _password(plan)
    supervisor = Supervisor(_roles(plan, listener.fileno()), _environment(plan), signals)
    try:
        _LOG.info("starting %s", ", ".join(child.role.name for child in supervisor.children))
        supervisor.start()
        _wait_until_ready(plan, supervisor, signals)
        with signals.droppable():
            _announce(plan, password if is_new else "")
        while not signals.stop:
            supervisor.wait(_CHECK_SERVERS_EVERY_SECONDS)
            with signals.droppable():
                servers.restart_if_lost()
    finally:
        if signals.stop:
            _LOG.info("%s: stopping", signals.stop)
        listener.close()
        for kind in _KINDS:
            supervisor.stop(kind)


def _roles(plan: _Plan, listener: int) -> Sequence[Role]:
    data_dir = ["--data-dir", str(plan.settings.data_dir)]
    port = ["--port", str(plan.settings.dashboard_port)]

    def gateway(name: str) -> Role:
        command = ["gateway", "--fd", str(listener), "--name", name, *data_dir]
        return Role(
            "gateway",
            name,
            lambda _: command,
            STOP_WITHIN_SECONDS + 3,
            (listener,),
            _all_keys_but(Purpose.SECRETS) | _OF_DASHBOARD,
            plan.given("gateway", name),
            reports=True,
        )

    def worker(name: str) -> Role:
        # A batch ends at its jobs' deadline, or after a silence of PostgreSQL of this length.
        seconds = plan.settings.apply_within_seconds + plan.settings.statement_wait_seconds + 3
        return Role(
            "worker",
            name,
            lambda run: ["worker", "--name", run, *data_dir],
            seconds,
            withheld=_all_keys_but(Purpose.JOURNAL, Purpose.OPERATOR) | _OF_DASHBOARD,
            given=plan.given("worker", name),
        )

    dashboard = ["dashboard", *port, *data_dir]
    portal = ["portal", "--port", str(plan.settings.portal_port), *data_dir]
    of_others = _all_keys_but() | _DATABASE | {"BETCORE_METRICS_PORT"}
    return [
        *map(gateway, _names("gateway", plan.gateways)),
        *map(worker, _names("worker", plan.workers)),
        Role(
            "portal",
            "portal",
            lambda _: portal,
            STOP_WITHIN_SECONDS + 3,
            withheld=_all_keys_but(Purpose.OPERATOR, Purpose.SECRETS) | _OF_DASHBOARD,
            given=plan.given("operator", "portal")
            | {"BETCORE_DASHBOARD_URL": plan.settings.dashboard_url or _dashboard(plan.settings)},
        ),
        Role("dashboard", "dashboard", lambda _: dashboard, 6, withheld=of_others),
    ]


def _all_keys_but(*purposes: Purpose) -> frozenset[str]:
    """Return the key variables that a process without these purposes must not have."""
    others = [purpose for purpose in Purpose if purpose not in purposes]
    return frozenset(name for one in others for name in (one.variable, one.old_variable))


def _environment(plan: _Plan) -> dict[str, str]:
    # Misspelt variables were already reported.
    ours = {name: value for name, value in known(os.environ).items() if name not in _OF_REDIS}
    trial = {variable(name): "true" for name in allowed_on_trial(plan.settings)}
    of_sandbox = sandbox_environment(plan.settings)
    return ours | trial | {"REDIS_URL": plan.settings.redis_url} | of_sandbox


def _wait_until_ready(plan: _Plan, supervisor: Supervisor, signals: Signals) -> None:
    """Wait until every child works, or until we are asked to stop. Raises NotReady."""
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    say_at = time.monotonic() + _SAY_EVERY_SECONDS
    while not signals.stop and (waiting := not_ready(supervisor.children, plan.settings)):
        for child in supervisor.children:
            if child.ends >= _ENDS_MAX:
                raise NotReady(
                    f"{child.role.name} keeps ending ({child.ended_how}): see its log above."
                )
        if time.monotonic() > deadline:
            raise NotReady(
                f"Not ready after {_READY_WITHIN_SECONDS:g} s: {', '.join(waiting)}; see their "
                "log above."
            )
        if time.monotonic() > say_at:
            _LOG.info("waiting for %s", ", ".join(waiting))
            say_at += _SAY_EVERY_SECONDS
        supervisor.wait(_LOOK_EVERY_SECONDS)


def _announce(plan: _Plan, new_password: str) -> None:
    """Print on stdout where everything is, and show the demo."""
    host, port = reachable(plan.settings.gateway_host), plan.settings.gateway_port
    url = f"http://{host}:{port}"
    _say(f"ready: {url}")
    portal = f"{reachable(plan.settings.portal_host)}:{plan.settings.portal_port}"
    make_key = to_type("operator key add NAME --scope all", plan.settings.data_dir)
    _say(f"operator API: http://{portal}/operator/v1  make a key: {make_key}")
    if plan.settings.sandbox:
        api = f"http://{portal}/sandbox/v1"
        _say(f"sandbox: http://{portal}/sandbox/  API: {api}  begin with docs/PROVIDERS.md")
    _say(f"console: http://{portal}/console/  {first_user(plan.settings)}")
    _say(f"reference for providers: http://{portal}/docs")
    dashboard = _dashboard(plan.settings)
    if plan.settings.dashboard_password:
        password = "that of BETCORE_DASHBOARD_PASSWORD"  # noqa: S105  # not a password
    else:
        password = new_password or f"in {plan.settings.data_dir / PASSWORD_FILE}"
    user = plan.settings.dashboard_user
    file = write_targets(plan.settings.data_dir, plan.settings.metrics_host, plan.metrics_ports)
    _say(f"metrics: {file} names the ports, for Prometheus")
    _say(f"dashboard: {dashboard}  user: {user}  password: {password}")
    if plan.demo:
        try:
            demo = demos.prepare(plan.settings)
            exchange = demos.pay_in_out(demo, host, port)
        except failures(HTTPException) as failure:
            # Everything else still runs. A suspended queue, for example, refuses the demo's money.
            _LOG.error("the demo failed: %s", in_one_line(failure))
        else:
            _say(f"\n{demos.shown(exchange)}")
            _say("To send another, paste this into bash; it needs openssl and curl:\n")
            _say(demos.snippet(demo, url))
    engine(plan.settings.database_url).dispose()  # nothing here needs it any more
    _LOG.info("serving; Ctrl-C stops everything")


def _dashboard(configured: Settings) -> str:
    """The RQ dashboard's address for a browser on this machine."""
    return f"http://{reachable(configured.dashboard_host)}:{configured.dashboard_port}"


def _say(text: str) -> None:
    """Print on stdout if anybody still reads it: `betcore up | head -1` must keep serving."""
    try:
        typer.echo(text)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _password(plan: _Plan) -> tuple[str, bool]:
    """Return the dashboard's password, and whether it was made just now."""
    if known := dashboard_password(plan.settings):
        return known, False
    made = secrets.token_urlsafe(_PASSWORD_BYTES)
    write_private(plan.settings.data_dir / PASSWORD_FILE, made + "\n")
    return made, True
