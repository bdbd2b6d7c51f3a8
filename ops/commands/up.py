"""`betcore up`: everything on one machine."""

from typing import Annotated

import typer

from ops.terminal.options import DataDir

Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port of the HTTP API; default 8000; 0: any free one."),
]
DashboardPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port of the dashboard; default 9181; 0: any free one."),
]
PortalPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port of the operator API; default 8090; 0: any free one."),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port of the first process' metrics; the others have the next ones; default 9100; 0:"
        " any free ones.",
    ),
]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Number of worker processes.")]
Gateways = Annotated[int, typer.Option(min=1, max=256, help="Number of gateway processes.")]
Sandbox = Annotated[
    bool,
    typer.Option(
        "--sandbox",
        help="Play money only, in a database of its own: providers make what they need themselves.",
    ),
]
NoDemo = Annotated[bool, typer.Option("--no-demo", help="Make no demo provider; send no bet.")]


def up(
    port: Port = None,
    dashboard_port: DashboardPort = None,
    portal_port: PortalPort = None,
    metrics_port: MetricsPort = None,
    workers: Workers = 2,
    gateways: Gateways = 1,
    no_demo: NoDemo = False,
    sandbox: Sandbox = False,
    data_dir: DataDir = None,
) -> None:
    """Run everything here until Ctrl-C, and show one bet.

    This starts PostgreSQL and Valkey, gateways, workers, the portal and the dashboard, and
    restarts any that ends. PostgreSQL and Valkey keep their data in the data folder. If
    DATABASE_URL or REDIS_URL names a server, that server is used instead.
    """
    # Imported here: the children share this command line, and start faster without Alembic.
    from ops.up.ports import Wished
    from ops.up.up import Wishes, run

    ports = Wished(port, dashboard_port, portal_port, metrics_port)
    run(Wishes(ports, workers, gateways, not no_demo, sandbox, data_dir))
