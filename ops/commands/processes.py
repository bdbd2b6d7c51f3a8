"""`betcore migrate`, and the processes: `gateway`, `worker`, `portal`, `dashboard`, `healthy`."""

import logging
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.errors import BetcoreError
from models.private_files import read_private
from ops.process.until_stopped import until_stopped
from ops.terminal.options import AsJson, DataDir, configuration, emit, find_settings
from server.stopping import take_signals

if TYPE_CHECKING:
    from settings import Settings

# Each command imports what it needs when it runs: a gateway does not need the dashboard's Flask.

_LOG = logging.getLogger("betcore.serve")
PASSWORD_FILE = "dashboard-password"  # noqa: S105  # the name of a file in the data folder

Host = Annotated[str | None, typer.Option(help="Address to listen at; default 127.0.0.1.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")
]
Fd = Annotated[
    int | None,
    typer.Option(min=3, help="Serve on this inherited listening socket, not on host and port."),
]
PrintRoles = Annotated[
    bool,
    typer.Option(
        "--print-roles",
        help="Change nothing. Print the SQL that an administrator has to run in the database first"
        " if the user of DATABASE_URL may not create roles.",
    ),
]
RoleName = Annotated[
    Literal["gateway", "worker", "portal", "dashboard"],
    typer.Argument(metavar="gateway|worker|portal|dashboard", help="Which process to ask."),
]
HealthyHost = Annotated[str | None, typer.Option(help="Its address; default: as in the settings.")]
HealthyPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Its port; default: as in the settings.")
]
ReadyFd = Annotated[int | None, typer.Option(min=3, hidden=True)]
Rooms = Annotated[
    str | None, typer.Option(help="What to serve, separated by commas; default: all rooms.")
]
LogName = Annotated[str, typer.Option("--name", help="Its name in the log.")]
Name = Annotated[
    str | None,
    typer.Option(help="Its name in RQ and in the log; random by default."),
]


def migrate(
    print_roles: PrintRoles = False, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Migrate the database to the newest schema.

    This prints the revision, and does nothing if it is already the newest. It creates the roles of
    the database if its user may. It encrypts provider secrets that an older version left in plain
    text. That needs BETCORE_SECRETS_KEY.
    """
    from models.keys import Purpose, find_ring
    from models.migrate import migrate as to_newest
    from models.migrate import roles_needed
    from ops.keys import with_keys
    from ops.urls import readable

    configured = readable(configuration(data_dir))
    url = configured.database_url or find_settings(data_dir, "migrator").database_url
    if print_roles:
        for statement in roles_needed(url):
            typer.echo(f"{statement};")
        return
    with_key = with_keys(configured, Purpose.SECRETS)
    emit({"revision": to_newest(url, find_ring(with_key, Purpose.SECRETS))}, as_json)


def gateway(
    host: Host = None,
    port: Port = None,
    fd: Fd = None,
    ready_fd: ReadyFd = None,
    name: LogName = "gateway",
    data_dir: DataDir = None,
) -> None:
    """Serve the HTTP API until SIGTERM.

    It then answers what has arrived.
    """
    from models.keys import Purpose
    from ops.keys import with_keys
    from ops.process.gateway import serve
    from ops.process.probe import in_url
    from ops.urls import readable
    from server.uvicorn_server import listen

    with until_stopped(name):
        # Without the key it is not ready, and `/readyz` reports that.
        found = with_keys(readable(find_settings(data_dir, "gateway")), Purpose.SECRETS)
        with (
            listen(host or found.gateway_host, found.gateway_port if port is None else port)
            if fd is None
            else socket.socket(fileno=fd)
        ) as listener:
            if fd is None:
                address, number, *_ = listener.getsockname()
                _LOG.info("listening at http://%s:%s", in_url(address), number)
            serve(found, listener, lambda: _report(ready_fd))


def worker(name: Name = None, data_dir: DataDir = None) -> None:
    """Process bets from the queue until SIGTERM.

    It then finishes the batch in progress.
    """
    from broker.redis_url import connect_redis
    from models.keys import Purpose
    from ops.keys import require_keys
    from ops.urls import readable

    with until_stopped(name or "worker"):
        found = require_keys(
            readable(find_settings(data_dir, "worker")), Purpose.JOURNAL, Purpose.OPERATOR
        )
        from ops.process.metrics import worker_metrics
        from workers.worker import BatchWorker

        with connect_redis(found.redis_url) as redis:
            made = BatchWorker([found.queue_name], name=name, connection=redis, configured=found)
            take_signals(made.request_stop)
            _LOG.info("taking jobs of queue %s as %s", found.queue_name, made.name)
            try:
                with worker_metrics(found, lambda: made.redis_ready):
                    made.work(logging_level="WARNING")
            except ValueError as error:  # RQ raises it if another worker has the name
                raise BetcoreError(str(error)) from error


def portal(
    rooms: Rooms = None, host: Host = None, port: Port = None, data_dir: DataDir = None
) -> None:
    """Serve operator API and console until SIGTERM.

    It serves all that is not the wallet. `--rooms` chooses a part of it, so that a public portal
    and an internal one can run apart.
    """
    from models.keys import Purpose
    from ops.keys import require_keys
    from ops.process.portal import serve
    from ops.process.probe import in_url
    from ops.urls import readable
    from server.uvicorn_server import listen

    with until_stopped("portal"):
        found = require_keys(readable(find_settings(data_dir)), Purpose.OPERATOR, Purpose.SECRETS)
        number = found.portal_port if port is None else port
        with listen(host or found.portal_host, number) as listener:
            address, number, *_ = listener.getsockname()
            _LOG.info("listening at http://%s:%s", in_url(address), number)
            serve(found, listener, rooms)


def dashboard(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Serve the RQ dashboard until SIGTERM."""
    from ops.dashboard import DashboardError, serve
    from ops.process.probe import in_url
    from ops.urls import readable

    with until_stopped("dashboard"):
        configured = configuration(data_dir)
        found = readable(configured if configured.redis_url else find_settings(data_dir))
        chosen = found.model_copy(
            update={
                "database_url": "",  # the dashboard must not use the database
                "database_read_url": "",
                "dashboard_host": host or found.dashboard_host,
                "dashboard_port": found.dashboard_port if port is None else port,
                "dashboard_password": dashboard_password(found),
            }
        )
        _LOG.info("listening at http://%s:%d", in_url(chosen.dashboard_host), chosen.dashboard_port)
        try:
            serve(chosen)
        except DashboardError as error:
            raise BetcoreError(str(error)) from error


def healthy(
    role: RoleName,
    host: HealthyHost = None,
    port: HealthyPort = None,
    data_dir: DataDir = None,
) -> None:
    """Exit with 0 if a process of this host works.

    Otherwise the exit code is 1, and the cause is one line on stderr. A gateway or portal
    works if it is ready, and a dashboard if it answers, at the address in the settings. A worker
    works if it is registered with RQ. Use this for the health checks of containers.
    """
    from ops.process.health_check import why_unhealthy

    configured = configuration(data_dir)
    needs_redis = role == "worker" and not configured.redis_url
    found = find_settings(data_dir) if needs_redis else configured
    listening: dict[str, object] = {}
    if host is not None:
        listening[f"{role}_host"] = host
    if port is not None:
        listening[f"{role}_port"] = port
    if line := why_unhealthy(role, found.model_copy(update=listening)):
        raise BetcoreError(f"{role}: {line}")


def dashboard_password(configured: "Settings") -> str:
    """Return the dashboard's password: of the settings, otherwise of `betcore up`, otherwise ""."""
    if configured.dashboard_password:
        return configured.dashboard_password
    return (read_private(configured.data_dir / PASSWORD_FILE) or "").strip()


def _report(ready_fd: int | None) -> None:
    """Tell `betcore up` that this process is ready."""
    if ready_fd is not None:
        with suppress(OSError):  # `betcore up` has ended, or no longer listens
            os.write(ready_fd, b"\n")
        os.close(ready_fd)
