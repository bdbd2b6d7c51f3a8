"""Injects the faults of a plan, and ends them."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from redis.exceptions import RedisError

from tests.crash.hands import DEEDS, lay_hands_on
from tests.crash.installation import WORKERS, Installation
from tests.crash.messages import (
    ADMISSION,
    DRAW,
    LOSSES,
    REACHED_WITHIN_SECONDS,
    lose,
    losing,
    silent_after,
)
from tests.crash.plan import Fault
from tests.crash.points import arm, take_reached
from tests.crash.servers import POSTGRES, SERVERS, VALKEY
from tests.service.support.processes import until
from tests.service.support.proxy import Fate, Proxy, let_pass

_DELAY_SECONDS = 0.15  # each way, of each message


@dataclass(frozen=True)
class Broken:
    """When the fault began, and from when on bets could succeed again (Unix seconds)."""

    at: float
    back: float


def break_and_mend(installation: Installation, fault: Fault) -> Broken:
    """Do one fault and wait until its cause is gone; a killed process is not yet back then.

    Raises AssertionError when the fault does not happen, such as a point never reached.
    """
    at = time.time()
    at, back = _DO[fault.kind](installation, fault) or (at, time.time())
    return Broken(at, back)


def _kill(installation: Installation, fault: Fault) -> tuple[float, float]:
    at = installation.processes[fault.target].signal(signal.SIGKILL)
    return at, at


def _terminate(installation: Installation, fault: Fault) -> tuple[float, float]:
    at = installation.processes[fault.target].signal(signal.SIGTERM)
    return at, at


def _point(installation: Installation, fault: Fault) -> tuple[float, float]:
    _reach(installation, fault, signal.SIGKILL)
    at = time.time()
    return at, at


def _stop_at_a_point(installation: Installation, fault: Fault) -> tuple[float, float]:
    _reach(installation, fault, signal.SIGSTOP)
    at = time.time()
    _last(fault)
    installation.processes[fault.target].signal(signal.SIGCONT)
    return at, time.time()


def _reach(installation: Installation, fault: Fault, number: signal.Signals) -> None:
    file = installation.processes[fault.target].armed_file
    arm(file, fault.detail, number)
    until(
        lambda: take_reached(file) == fault.detail,
        lambda: f"{fault} was not reached",
        seconds=REACHED_WITHIN_SECONDS,
    )


def _stop(installation: Installation, fault: Fault) -> None:
    def send(number: signal.Signals) -> None:
        if fault.target in SERVERS:
            installation.servers.signal(fault.target, number)
        else:
            installation.processes[fault.target].signal(number)

    send(signal.SIGSTOP)
    _last(fault)
    send(signal.SIGCONT)


def _crash(installation: Installation, fault: Fault) -> None:
    installation.servers.crash(fault.target)
    _last(fault)
    installation.servers.revive(fault.target, emptied=fault.kind == "empty")


def _kill_everything(installation: Installation, fault: Fault) -> tuple[float, float]:  # noqa: ARG001
    at = installation.kill_everything()
    until(installation.is_ready, lambda: "the gateways did not come back", seconds=60)
    return at, time.time()


def _cut(installation: Installation, fault: Fault) -> None:
    _proxy(installation, fault).cut()


def _refuse(installation: Installation, fault: Fault) -> None:
    proxy = _proxy(installation, fault)
    proxy.refuses = True
    proxy.cut()
    _last(fault)
    proxy.refuses = False


def _delay(installation: Installation, fault: Fault) -> None:
    proxy = _proxy(installation, fault)
    proxy.change_delay(_DELAY_SECONDS)
    _last(fault)
    proxy.change_delay(0)


def _swallow(installation: Installation, fault: Fault) -> None:
    """Messages are lost and no connection ends, so a caller without a time limit would hang."""
    proxy = _proxy(installation, fault)
    proxy.judge = lambda *_: Fate.SWALLOW
    _last(fault)
    proxy.judge = let_pass


def _fill_the_disk(installation: Installation, fault: Fault) -> None:
    def refuses() -> bool:
        with suppress(RedisError):
            return installation.servers.refuses_to_write()
        return False

    with installation.servers.full_disk():
        until(refuses, lambda: "Valkey still writes")
        _last(fault)
    until(lambda: not refuses(), lambda: "Valkey does not write again")


def _suspend(installation: Installation, fault: Fault) -> None:
    suspended: AbstractContextManager[None] = installation.suspended()
    with suspended:
        _last(fault)


def _lose(installation: Installation, fault: Fault) -> tuple[float, float]:
    """A request or its reply is lost."""
    message, reply = LOSSES[fault.kind]
    at = lose(_proxy(installation, fault), message, reply=reply)
    return at, at


def _forget_an_admission(installation: Installation, fault: Fault) -> tuple[float, float]:
    """The reply to an admission is lost; what it admitted is worked on; then Redis loses its data.

    The gateway asks again, and the new Redis knows nothing: that is no "no".
    """
    with losing(_proxy(installation, fault), ADMISSION, reply=True):
        until(installation.servers.is_idle, lambda: "there is always a job")
        at = time.time()
        _crash(installation, Fault("empty", VALKEY))
    return at, time.time()


def _lay_hands_on_a_job(installation: Installation, fault: Fault) -> tuple[float, float]:
    at = lay_hands_on(installation.urls.redis, fault.kind)
    return at, at


def _crash_at_a_draw_of_ids(installation: Installation, fault: Fault) -> tuple[float, float]:
    """PostgreSQL crashes when a worker has drawn ids, before anything of that is on its disk.

    It may then give out the same ids again: who drew them must have forgotten them.
    """
    installation.servers.checkpoint()  # the draw after it is a change to be written
    proxies = [installation.proxies[name, POSTGRES] for name in WORKERS]
    with silent_after(proxies, DRAW):
        at = time.time()
        installation.servers.crash(POSTGRES)
    _last(fault)
    installation.servers.revive(POSTGRES)
    return at, time.time()


def _proxy(installation: Installation, fault: Fault) -> Proxy:
    one, _, other = fault.target.partition(" > ")
    return installation.proxies[one, other]


def _last(fault: Fault) -> None:
    """Let a fault last as long as its plan says."""
    threading.Event().wait(fault.seconds)


_Doing = Callable[[Installation, Fault], "tuple[float, float] | None"]
_DO: dict[str, _Doing] = {
    "point": _point,
    "kill": _kill,
    "terminate": _terminate,
    "stop": _stop,
    "stop at a point": _stop_at_a_point,
    "crash": _crash,
    "outage": _crash,
    "empty": _crash,
    "kill everything": _kill_everything,
    "cut": _cut,
    "refuse": _refuse,
    "delay": _delay,
    "swallow": _swallow,
    "fill the disk": _fill_the_disk,
    "suspend": _suspend,
    **dict.fromkeys(LOSSES, _lose),
    "forget an admission": _forget_an_admission,
    **dict.fromkeys(DEEDS, _lay_hands_on_a_job),
    "crash at a draw of ids": _crash_at_a_draw_of_ids,
}
