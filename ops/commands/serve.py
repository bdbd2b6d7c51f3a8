"""`betcore migrate`, `gateway`, `worker` and `dashboard`: what a process manager runs."""

import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from models.errors import BetcoreError
from models.keys import Purpose
from ops.keys import require_keys
from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, emit, find_settings
from ops.private_files import read_private
from ops.service import service, take_signals
from ops.urls import readable
from settings import Settings, settings

# Each command imports what it runs when it runs: the dashboard's Flask is of no use to a gateway.

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
        help="Change nothing: print the SQL that an administrator has to run in the database first,"
        " where its user may not make the roles itself.",
    ),
]
ReadyFd = Annotated[int | None, typer.Option(min=3, hidden=True)]
LogName = Annotated[str, typer.Option("--name", help="Its name in the log.")]
Name = Annotated[
    str | None,
    typer.Option(help="Its name in RQ and in the log; random by default."),
]


def migrate(
    print_roles: PrintRoles = False, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Bring the database to the newest schema.

    Prints its revision; does nothing when it is the newest already. Makes the roles of the
    database, if its user may.
    """
    from models.migrate import migrate as to_newest
    from models.migrate import roles_needed

    configured = readable(settings())
    url = configured.database_url or find_settings(data_dir, "migrator").database_url
    if print_roles:
        for statement in roles_needed(url):
            typer.echo(f"{statement};")
        return
    emit({"revision": to_newest(url)}, as_json)


def gateway(
    host: Host = None,
    port: Port = None,
    fd: Fd = None,
    ready_fd: ReadyFd = None,
    name: LogName = "gateway",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Serve the HTTP API until SIGTERM.

    Then it answers what has arrived.
    """
    from ops.gateway import listen, serve

    with service(name):
        found = readable(find_settings(data_dir, "gateway"))
        with (
            listen(host or found.gateway_host, found.gateway_port if port is None else port)
            if fd is None
            else socket.socket(fileno=fd)
        ) as listener:
            if fd is None:
                _LOG.info("listening at http://%s:%s", *listener.getsockname()[:2])
            serve(found, listener, lambda: _report(ready_fd))


def worker(name: Name = None, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Run bets from the queue until SIGTERM.

    Then it finishes the batch in hand.
    """
    from redis import Redis

    with service(name or "worker"):
        found = require_keys(
            readable(find_settings(data_dir, "worker")), data_dir, Purpose.JOURNAL, Purpose.OPERATOR
        )
        # RQ makes the worker, so it reads its settings itself.
        os.environ |= {"DATABASE_URL": found.database_url, "REDIS_URL": found.redis_url}
        os.environ |= {
            Purpose.JOURNAL.variable: found.journal_key,
            Purpose.OPERATOR.variable: found.operator_key,
        }
        settings.cache_clear()
        from workers.worker import BatchWorker

        with Redis.from_url(found.redis_url) as redis:
            made = BatchWorker([found.queue_name], name=name, connection=redis)
            take_signals(made.request_stop)
            _LOG.info("taking jobs of queue %s as %s", found.queue_name, made.name)
            try:
                made.work(logging_level="WARNING")
            except ValueError as error:  # of RQ, when the name is another worker's
                raise BetcoreError(str(error)) from error


def dashboard(host: Host = None, port: Port = None, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Serve the RQ dashboard until SIGTERM."""
    from ops.dashboard import DashboardError, serve

    with service("dashboard"):
        configured = settings()
        found = readable(configured if configured.redis_url else find_settings(data_dir))
        chosen = found.model_copy(
            update={
                "database_url": "",  # it has no business there
                "database_read_url": "",
                "dashboard_host": host or found.dashboard_host,
                "dashboard_port": found.dashboard_port if port is None else port,
                "dashboard_password": dashboard_password(found, data_dir),
            }
        )
        _LOG.info("listening at http://%s:%d", chosen.dashboard_host, chosen.dashboard_port)
        try:
            serve(chosen)
        except DashboardError as error:
            raise BetcoreError(str(error)) from error


def dashboard_password(configured: Settings, data_dir: Path) -> str:
    """The password of the settings, else the one that `betcore up` made; '' where there is none."""
    return configured.dashboard_password or (read_private(data_dir / PASSWORD_FILE) or "").strip()


def _report(ready_fd: int | None) -> None:
    """Tell `betcore up` that this process is ready."""
    if ready_fd is not None:
        with suppress(OSError):  # it is gone, or no longer interested
            os.write(ready_fd, b"\n")
        os.close(ready_fd)
