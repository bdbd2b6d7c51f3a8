"""The ports of `betcore up`: which ones to use, and all that are taken."""

import socket
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from embedded import FolderInUse, running
from server.errors import CannotListen
from server.uvicorn_server import listen
from settings import Settings

_FIRST_OF_METRICS = 9100


class Wished(NamedTuple):
    """The ports that the user asked for. None is that of the settings, and 0 is any free one.

    `metrics` is the first of a range.
    """

    gateway: int | None
    dashboard: int | None
    portal: int | None
    metrics: int | None


class Ports(NamedTuple):
    """The settings with the addresses to listen at, and what is listened at already."""

    settings: Settings
    gateways: socket.socket  # all gateways accept here
    metrics: Mapping[str, int]  # a port by the name of the child, which keeps it


def open_ports(configured: Settings, wished: Wished, names: Sequence[str]) -> Ports:
    """Listen for the gateways, and find ports for all else. `names` are the children with metrics.

    Raises CannotListen, which names every port that is taken, or FolderInUse if another
    `betcore up` on the same data folder has one of them.
    """
    # A trial: only the gateways' socket is kept. All are open at once, so that the ports differ.
    trial = _Trial()
    try:
        for kind, option in (("dashboard", "dashboard-port"), ("portal", "portal-port")):
            trial.listen(f"{kind}_port", *_address(configured, kind, wished), f"port: --{option}")
        trial.listen("gateway_port", *_address(configured, "gateway", wished), "port: --port")
        _listen_for_metrics(trial, configured, wished.metrics, names)
        if trial.taken and running(configured.data_dir):
            raise FolderInUse(f"Another `betcore up` runs on {configured.data_dir}.")
        if trial.taken:
            raise CannotListen(" ".join(trial.taken))
        gateways = trial.sockets.pop("gateway_port")
    finally:
        trial.close()
    ports = {name: port for name, port in trial.ports.items() if name not in names}
    settings = configured.model_copy(update=ports)
    return Ports(settings, gateways, {name: trial.ports[name] for name in names})


class _Trial:
    """Sockets that listen, and a sentence per port that is taken.

    Their names are those of settings, such as `portal_port`. A port of metrics is its child's name.
    """

    def __init__(self) -> None:
        self.sockets: dict[str, socket.socket] = {}
        self.ports: dict[str, int] = {}
        self.taken: list[str] = []

    def listen(self, what: str, host: str, port: int, cure: str) -> bool:
        """Listen, if the port is free. Otherwise note why not, and what else to choose."""
        try:
            self.sockets[what] = listen(host, port)
        except (CannotListen, OverflowError) as error:
            self.taken.append(f"{error} Stop that, or choose another {cure}.")
            return False
        self.ports[what] = self.sockets[what].getsockname()[1]
        return True

    def close(self) -> None:
        for one in self.sockets.values():
            one.close()


def _address(configured: Settings, kind: str, wished: Wished) -> tuple[str, int]:
    port: int | None = getattr(wished, kind)
    named: int = getattr(configured, f"{kind}_port")
    return getattr(configured, f"{kind}_host"), named if port is None else port


def _listen_for_metrics(
    trial: _Trial, configured: Settings, wished: int | None, names: Sequence[str]
) -> None:
    """A port for each child: the first one and those after it, or any free ones if it is 0."""
    first = (configured.metrics_port or _FIRST_OF_METRICS) if wished is None else wished
    for place, name in enumerate(names):
        port = first and first + place
        if not trial.listen(name, configured.metrics_host, port, "first port: --metrics-port"):
            return  # one sentence says enough about the range
