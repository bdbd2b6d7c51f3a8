"""A small process that keeps one server alive for exactly as long as its owner lives.

It is run as a script by a bare interpreter, so it uses the standard library only. Its one argument
is `Orders` as JSON. Over the owner's socket it sends the server's pid and a newline; the end of
that socket, however the owner ended, is the order to stop the server, and the byte `IMMEDIATELY`
before it the order not to be polite.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

IMMEDIATELY = b"!"
STOP_WITHIN_SECONDS = 15  # for each of up to three signals, from polite to SIGKILL
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


@dataclass(frozen=True)
class Orders:
    """What to run and how to end it; descriptors are numbers inherited by the keeper."""

    command: list[str]
    cwd: str
    owner: int  # descriptor of our end of the owner's socket
    lock: int  # descriptor of the folder's lock
    stop_signal: int  # polite: the server finishes its files
    kill_signal: int  # at once
    uid: int | None  # account to run as; None: ours
    gid: int | None
    remove: list[str]  # folders to remove, with what they hold, once the server is gone
    remove_if_empty: list[str]


def main() -> None:
    """Run the server of the orders in argv until it or its owner ends."""
    orders = Orders(**json.loads(sys.argv[1]))
    wake = _signals_as_bytes()
    with socket.socket(fileno=orders.owner) as owner:
        server = _start(orders)
        with contextlib.suppress(OSError):  # the owner is gone already: seen just below
            owner.sendall(b"%d\n" % server.pid)
        immediately = _wait_for_an_end(server, owner, wake)
    _stop(server, [orders.kill_signal] if immediately else [orders.stop_signal, orders.kill_signal])
    for folder in orders.remove:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in orders.remove_if_empty:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _signals_as_bytes() -> int:
    """Turn signals into bytes on a pipe; returns the end to read them from."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    # Handlers, even of those we disregard: an *ignored* signal the server would inherit.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return read


def _start(orders: Orders) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # the command is the owner's
        orders.command,
        cwd=orders.cwd,
        stdin=subprocess.DEVNULL,  # its output goes where ours goes: to the log
        user=orders.uid,
        group=orders.gid,
        extra_groups=None if orders.uid is None else [],
        pass_fds=[orders.lock],  # the server holds the folder until its last process is gone
        start_new_session=True,  # out of reach of a terminal's Ctrl-C
        preexec_fn=_dying_with_us(orders.stop_signal),  # safe: we have one thread
    )


def _dying_with_us(signal_number: int) -> Callable[[], None] | None:
    """What a child has to call for the kernel to signal it when this process is killed."""
    if sys.platform != "linux":
        return None
    keeper, libc = os.getpid(), ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != keeper:  # killed before we could ask
            os._exit(1)

    return ask_kernel


def _wait_for_an_end(server: subprocess.Popen[bytes], owner: socket.socket, wake: int) -> bool:
    """Wait for the end of the server, of its owner or of ourselves; whether to stop at once."""
    while server.poll() is None:
        ready, _, _ = select.select([owner.fileno(), wake], [], [])
        if owner.fileno() in ready:
            with contextlib.suppress(OSError):  # a reset is an end as well
                return owner.recv(1) == IMMEDIATELY
            return False
        if signal.SIGTERM in os.read(wake, 64):
            return False
    return False


def _stop(server: subprocess.Popen[bytes], signals: list[int]) -> None:
    for number in (*signals, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(STOP_WITHIN_SECONDS)


if __name__ == "__main__":
    main()
