"""`betcore up`: everything on one machine."""

from typing import Annotated

import typer

from ops.options import DEFAULT_DATA_DIR, DataDir

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Of the HTTP API; default 8000; 0: any.")
]
DashboardPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Of the dashboard; default 9181; 0: any.")
]
Workers = Annotated[int, typer.Option(min=1, max=256, help="How many worker processes.")]
Gateways = Annotated[int, typer.Option(min=1, max=256, help="How many gateway processes.")]
NoDemo = Annotated[bool, typer.Option("--no-demo", help="Make no demo provider, send no bet.")]


def up(
    port: Port = None,
    dashboard_port: DashboardPort = None,
    workers: Workers = 2,
    gateways: Gateways = 1,
    no_demo: NoDemo = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Run everything here, until Ctrl-C; show one bet.

    Starts PostgreSQL and Valkey, which keep their data in the data folder (where DATABASE_URL or
    REDIS_URL names a server, that one is used), gateways, workers and the dashboard, and starts
    again what ends.
    """
    # Imported here: the children, whose command line is the same, start faster without Alembic.
    from ops.up import Wishes, run

    run(Wishes(port, dashboard_port, workers, gateways, not no_demo, data_dir))
