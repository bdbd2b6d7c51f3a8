"""Ports for the metrics of the children of `betcore up`, and the file that tells Prometheus."""

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from models.private_files import write_private
from ops.process.probe import reachable
from server.errors import CannotListen
from server.uvicorn_server import listen
from settings import Settings

FILE = "metrics-targets.json"
_FIRST_PORT = 9100


def names_of(kind: str, count: int) -> list[str]:
    """The names of the children of a kind."""
    return [f"{kind}-{number + 1}" for number in range(count)]


def ports_for(
    settings: Settings, wished: int | None, gateways: int, workers: int
) -> dict[str, int]:
    """A port for the metrics of each child. Raises as `metrics_ports`."""
    first = (settings.metrics_port or _FIRST_PORT) if wished is None else wished
    names = [*names_of("gateway", gateways), *names_of("worker", workers), "portal"]
    return metrics_ports(settings.metrics_host, first, names)


def metrics_ports(host: str, first: int, names: Sequence[str]) -> dict[str, int]:
    """A port for each of these processes: `first` and those after it, or any free ones if it is 0.

    A process that is started again keeps its port. Raises CannotListen if one is taken.
    """
    # A trial: the processes open their own sockets. All are open at once, so that the ports differ.
    with ExitStack() as tried:
        found = {}
        for place, name in enumerate(names):
            try:
                one: socket.socket = tried.enter_context(listen(host, first and first + place))
            except (CannotListen, OverflowError) as error:
                raise CannotListen(
                    f"{error} Stop that, or choose another first port: --metrics-port."
                ) from error
            found[name] = one.getsockname()[1]
        return found


def write_targets(folder: Path, host: str, ports: Mapping[str, int]) -> Path:
    """Write where each process serves its metrics, in the form of Prometheus' `file_sd_configs`.

    Returns the file.
    """
    targets = [
        {"targets": [f"{reachable(host)}:{port}"], "labels": {"process": name}}
        for name, port in ports.items()
    ]
    file = folder / FILE
    write_private(file, json.dumps(targets, indent=1) + "\n")
    return file
