"""Runs our own processes: restarts any that ends, and stops them kind by kind."""

import logging
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.process.signals import Signals
from settings import with_files

_LOG = logging.getLogger("betcore.supervisor")
_LAUNCHER = str(Path(__file__).resolve().parents[2] / "betcore_launcher.py")
# Seconds before a child restarts, by its number of short lives in a row.
_BACK_OFF_SECONDS = (0.0, 0.25, 0.5, 1.0)
_SHORT_LIFE_SECONDS = 10.0
_KILLED_WITHIN_SECONDS = 5.0  # from SIGKILL to the end of the process


@dataclass(frozen=True)
class Role:
    """What one child does, however often it is started."""

    kind: str  # such as "worker"; children of one kind are stopped together
    name: str  # such as "worker-1"
    command: Callable[[str], Sequence[str]]  # arguments of `betcore` for a run of that name
    stop_within_seconds: float  # from SIGTERM to SIGKILL
    inherits: tuple[int, ...] = ()  # descriptors
    withheld: frozenset[str] = frozenset()  # environment variables that it must not have
    given: Mapping[str, str] = field(default_factory=dict)  # environment variables of its own
    reports: bool = False  # whether it takes `--ready-fd`, and writes there when ready


class Child:
    """The process of a role. If it ends, another one follows."""

    def __init__(self, role: Role, environment: Mapping[str, str]) -> None:
        self.role = role
        self.run = ""  # the name of this one process, never reused
        self.ends = 0
        self.ended_how = ""
        self.wanted = True
        left_out = with_files(role.withheld | role.given.keys())
        self._environment = {
            name: value for name, value in environment.items() if name not in left_out
        } | dict(role.given)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._short_lives = 0
        self._report: int | None = None
        self._reported = False

    def start(self) -> None:
        """Start the process. Raises OSError if the machine cannot."""
        self.run = f"{self.role.name}-{secrets.token_hex(4)}"
        # -P: nothing is imported from the folder that we were started in.
        command = [sys.executable, "-P", _LAUNCHER, "--with-parent", str(os.getpid())]
        command += self.role.command(self.run)
        inherits = list(self.role.inherits)
        self._forget_report()
        if self.role.reports:
            self._report, report_to = os.pipe()
            command += ["--ready-fd", str(report_to)]
            inherits.append(report_to)
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),  # our stdout is for results
                pass_fds=inherits,
                start_new_session=True,  # a terminal's Ctrl-C does not reach it
            )
        finally:
            if self.role.reports:
                os.close(report_to)
        self._started_at = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def reported(self) -> bool:
        """Whether this process has reported that it is ready."""
        if self._report is not None and select.select([self._report], [], [], 0)[0]:
            self._reported = os.read(self._report, 1) != b""
            self._close_report()
        return self._reported

    def look(self, now: float) -> float:
        """Restart it if it has ended and the delay is over.

        Returns the seconds until then, or inf if there is nothing to wait for.
        """
        if self.alive or not self.wanted:
            return float("inf")
        if self._process is not None:
            self._note_end(self._process.returncode, now)
        if now >= self._start_again_at:
            self.start()
            return float("inf")
        return self._start_again_at - now

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it lives. It is not restarted from now on."""
        self.wanted = False
        if self._process is not None:
            self._process.send_signal(number)
        self._forget_report()

    def _note_end(self, code: int, now: float) -> None:
        self._process = None
        self.ends += 1
        self.ended_how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        short = now - self._started_at < _SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if short else 0
        # The first end has no delay: the process lived for long, or died once.
        delay = _BACK_OFF_SECONDS[min(max(0, self._short_lives - 1), len(_BACK_OFF_SECONDS) - 1)]
        self._start_again_at = now + delay
        when = f"in {delay:g} s" if delay else "at once"
        _LOG.warning("%s ended (%s) and is started again %s", self.role.name, self.ended_how, when)

    def _forget_report(self) -> None:
        self._reported = False
        self._close_report()

    def _close_report(self) -> None:
        if self._report is not None:
            os.close(self._report)
            self._report = None


class Supervisor:
    """Keeps one child per role running. It works only while one of its methods is called."""

    def __init__(
        self, roles: Sequence[Role], environment: Mapping[str, str], signals: Signals
    ) -> None:
        """`environment` is for the children, changed by what each role withholds and gives.

        `signals` wake the supervisor when a child ends.
        """
        self.children = [Child(role, environment) for role in roles]
        self._signals = signals

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            child.start()

    def wait(self, seconds: float) -> None:
        """Look after the children for at most `seconds`, or until a signal arrives."""
        due = min((child.look(time.monotonic()) for child in self.children), default=seconds)
        self._signals.sleep(min(seconds, due))
        for child in self.children:
            child.look(time.monotonic())

    def stop(self, kind: str) -> None:
        """Stop the children of a kind and wait for their end. The others are still looked after.

        They finish their work, unless that takes too long or the stop has become urgent.
        """
        children = [child for child in self.children if child.role.kind == kind]
        asked_at = time.monotonic()
        for child in children:
            child.send(signal.SIGTERM)
        while alive := [child for child in children if child.alive]:
            waited = time.monotonic() - asked_at
            late = [child for child in alive if waited > child.role.stop_within_seconds]
            if any(waited > c.role.stop_within_seconds + _KILLED_WITHIN_SECONDS for c in late):
                return  # the kernel cannot end it: nobody can
            for child in alive if self._signals.urgent else late:
                _LOG.warning("%s has not stopped after %.1f s: killed", child.role.name, waited)
                child.send(signal.SIGKILL)
            self.wait(0.2)
