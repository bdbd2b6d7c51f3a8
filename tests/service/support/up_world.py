"""What the tests of the command line share: `betcore` as an operator runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.service.support.client import ProviderClient
from tests.service.support.embedded_world import alive
from tests.service.support.patience import COMMAND, START
from tests.service.support.processes import until

BETCORE = Path(sys.executable).with_name("betcore")
_READY = re.compile(r"^ready: (http://127\.0\.0\.1:\d+)$", re.MULTILINE)
_DASHBOARD = re.compile(r"^dashboard: (\S+)  user: (\S+)  password: (.+)$", re.MULTILINE)


def environment(**added: str) -> dict[str, str]:
    """Ours without what the shell of a developer may set for betcore."""
    ours = ("DATABASE_URL", "REDIS_URL", "BETCORE_")
    others = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return others | {"BETCORE_LOG_FORMAT": "text"} | added


def betcore(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command and wait for its end."""
    return subprocess.run(
        [BETCORE, *arguments],
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=COMMAND,
        check=False,
    )


class Running:
    """A `betcore` command that goes on; killed with the `with` block at the latest."""

    def __init__(self, cwd: Path, *arguments: str, **env: str) -> None:
        # Files: nobody has to read a pipe for the process to go on.
        self._out = tempfile.NamedTemporaryFile("w+", prefix="betcore-out-")  # noqa: SIM115
        self._err = tempfile.NamedTemporaryFile("w+", prefix="betcore-err-")  # noqa: SIM115
        self._process = subprocess.Popen(
            [BETCORE, *arguments],
            cwd=cwd,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )
        self.pid = self._process.pid

    @property
    def out(self) -> str:
        """What it has printed to stdout."""
        return Path(self._out.name).read_text()

    @property
    def err(self) -> str:
        """What it has printed to stderr."""
        return Path(self._err.name).read_text()

    def says(self, text: str) -> None:
        """Wait until it has said this on stderr."""
        until(lambda: text in self.err or self._ended(), lambda: self.err, START)
        assert text in self.err, self.err

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ends(self, number: signal.Signals | None = None) -> int:
        """Send it a signal, if one is given, and wait for its end; the exit code."""
        if number is not None:
            self.send(number)
        return self._process.wait(START)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended():
            self.ends(signal.SIGKILL)
        self._out.close()
        self._err.close()

    def _ended(self) -> bool:
        return self._process.poll() is not None


#: What a busy machine may take for a bet, and that no bet is refused for it.
_LONG_TIMEOUTS = {
    "BETCORE_ANSWER_WITHIN_SECONDS": "50",
    "BETCORE_APPLY_WITHIN_SECONDS": "45",
    "BETCORE_QUEUE_WAIT_MAX_SECONDS": "3600",
    "BETCORE_LOOP_LAG_MAX_SECONDS": "3600",
}


class Up(Running):
    """`betcore up` on free ports and the data folder `data` in `cwd`."""

    def __init__(self, cwd: Path, *options: str, **env: str) -> None:
        self.data = cwd / "data"
        kinds = ("port", "dashboard-port", "portal-port", "metrics-port")
        free = (*(part for kind in kinds for part in (f"--{kind}", "0")), "--data-dir", "data")
        super().__init__(cwd, "up", *free, *options, **_LONG_TIMEOUTS | env)

    @property
    def url(self) -> str:
        """Where it says that it is ready; waits until it says so."""
        until(lambda: bool(_READY.search(self.out)) or self._ended(), lambda: self.err, START)
        found = _READY.search(self.out)
        assert found, self.err
        return found[1]

    @property
    def dashboard(self) -> tuple[str, str, str]:
        """Address, user and password as it prints them."""
        until(lambda: bool(_DASHBOARD.search(self.out)), lambda: self.err, START)
        found = _DASHBOARD.search(self.out)
        assert found
        return found[1], found[2], found[3]

    def client(self) -> tuple[ProviderClient, str]:
        """The demo provider and its session."""
        demo = json.loads((self.data / "demo.json").read_text())
        return ProviderClient(self.url, demo["counterpartyId"], demo["secret"]), demo["sessionId"]

    def children(self, kind: str) -> list[int]:
        """The processes of a kind that it has started: `gateway`, `worker`, `dashboard`."""
        return [
            pid
            for pid, parent in _parents().items()
            if parent == self.pid and f"\0{kind}\0" in _command(pid)
        ]

    def environment(self, kind: str) -> dict[str, str]:
        """What the first child of a kind was told."""
        told = Path(f"/proc/{self.children(kind)[0]}/environ").read_text()
        return dict(entry.split("=", 1) for entry in told.split("\0") if "=" in entry)

    def __exit__(self, *_: object) -> None:
        tree = self.tree()
        super().__exit__()
        gone(tree)  # or its servers would write where the test tidies up

    def tree(self) -> list[int]:
        """The process itself, and all that it and its children have started."""
        parents = _parents()
        found = [self.pid]
        for pid in found:  # grows while we look
            found += [child for child, parent in parents.items() if parent == pid]
        return found


def gone(pids: list[int], seconds: float = START) -> None:
    """Wait until none of these processes is left."""
    until(
        lambda: not any(map(alive, pids)),
        lambda: f"still there: {[_command(pid) for pid in pids if alive(pid)]}",
        seconds,
    )


def _parents() -> dict[int, int]:
    """Every process, and who started it."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        found[int(status.parent.name)] = int(fields[1])
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
