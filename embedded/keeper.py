"""A small process that keeps one server alive for exactly as long as its owner lives.

A bare interpreter runs this file as a script, so it uses the standard library only. Its single
argument is `Orders` as JSON. It sends the server's pid and a newline over the owner's socket. The
end of that socket, however the owner ended, is the order to stop the server. The byte `IMMEDIATELY`
before the end means: stop it without a clean shutdown.
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
STOP_WITHIN_SECONDS = 15  # for each of up to three signals, the last is SIGKILL
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


@dataclass(frozen=True)
class Orders:
    """What to run, and how to end it. Descriptors are numbers that the keeper inherits."""

    command: list[str]
    cwd: str
    owner: int  # descriptor of our end of the owner's socket
    lock: int  # descriptor of the folder's lock
    stop_signal: int  # clean shutdown: the server finishes its files
    kill_signal: int  # immediate shutdown
    uid: int | None  # account to run as; None: our own
    gid: int | None
    remove: list[str]  # folders to remove, with their content, after the server ended
    remove_if_empty: list[str]


def main() -> None:
    """Run the server of the orders in argv until the server or its owner ends."""
    orders = Orders(**json.loads(sys.argv[1]))
    wake = _signals_as_bytes()
    with socket.socket(fileno=orders.owner) as owner:
        server = _start(orders)
        with contextlib.suppress(OSError):  # the owner is already gone: detected just below
            owner.sendall(b"%d\n" % server.pid)
        immediately = _wait_for_an_end(server, owner, wake)
    _stop(server, [orders.kill_signal] if immediately else [orders.stop_signal, orders.kill_signal])
    for folder in orders.remove:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in orders.remove_if_empty:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _signals_as_bytes() -> int:
    """Turn signals into bytes on a pipe. Returns the descriptor to read them from."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    # Even a signal that we disregard gets a handler: the server would inherit an *ignored* one.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return read


def _start(orders: Orders) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # the owner gives the command
        orders.command,
        cwd=orders.cwd,
        stdin=subprocess.DEVNULL,  # stdout and stderr are ours: the log
        user=orders.uid,
        group=orders.gid,
        extra_groups=None if orders.uid is None else [],
        pass_fds=[orders.lock],  # the server holds the folder until its last process ends
        start_new_session=True,  # a terminal's Ctrl-C does not reach it
        preexec_fn=_dying_with_us(orders.stop_signal),  # safe: one thread
    )


def _dying_with_us(signal_number: int) -> Callable[[], None] | None:
    """Return a function for the child: the kernel then signals it when this process is killed.

    Returns None on systems other than Linux.
    """
    if sys.platform != "linux":
        return None
    keeper, libc = os.getpid(), ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != keeper:  # we were killed before the child could ask
            os._exit(1)

    return ask_kernel


def _wait_for_an_end(server: subprocess.Popen[bytes], owner: socket.socket, wake: int) -> bool:
    """Wait until the server, its owner or this process is to end.

    Returns whether to stop the server immediately.
    """
    while server.poll() is None:
        ready, _, _ = select.select([owner.fileno(), wake], [], [])
        if owner.fileno() in ready:
            with contextlib.suppress(OSError):  # a connection reset is an end too
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
