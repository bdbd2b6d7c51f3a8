"""Loses one message of a kind, between a process of ours and a server, at a proxy between them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from tests.service.proxy import Fate, Judge, Proxy, let_pass

REACHED_WITHIN_SECONDS: Final = 40.0
#: What the bytes of each kind of message hold, as its sender sends them.
HOLDING: Final = {
    "an admission": b"workers.jobs.",  # the function's name in a job's data
    "a commit": b"\x00commit\x00",
    "a finish": b"betcore:replies:",
}
DRAW: Final = b"\x00next_ids\x00"
_REFUSES_SECONDS = 0.2  # once it is lost


def lose(proxy: Proxy, message: str, *, reply: bool) -> float:
    """Lose the next message of a kind, or the reply to it, and end all connections; when it was.

    Raises AssertionError when none is sent.
    """
    with losing(proxy, message, reply=reply):
        at = time.time()
        threading.Event().wait(_REFUSES_SECONDS)
    return at


@contextmanager
def losing(proxy: Proxy, message: str, *, reply: bool) -> Iterator[None]:
    """Likewise; the body runs once it is lost, and meanwhile no connection is made."""
    lost = threading.Event()
    proxy.judge = _judge(HOLDING[message], lost, reply=reply)
    try:
        assert lost.wait(REACHED_WITHIN_SECONDS), f"{message} was not sent"
        yield
    finally:
        proxy.judge = let_pass
        proxy.refuses = False


@contextmanager
def silent_after(proxies: Sequence[Proxy], holding: bytes) -> Iterator[None]:
    """The next message that holds this is answered; nothing that is sent later arrives.

    Through none of these proxies, until the end of the body, which begins with the answer. Raises
    AssertionError when no such message is sent.
    """
    asked, answered = threading.Event(), threading.Event()

    def judge_of_one() -> Judge:
        here = False  # whether it was sent through this proxy

        def judge(message: bytes, from_client: bool) -> Fate:
            nonlocal here
            if from_client and asked.is_set():
                return Fate.SWALLOW
            if from_client and holding in message:
                asked.set()
                here = True
            elif here and not from_client:
                answered.set()
            return Fate.PASS

        return judge

    with ExitStack() as undoing:
        for proxy in proxies:
            undoing.callback(setattr, proxy, "judge", let_pass)
            proxy.judge = judge_of_one()
        assert answered.wait(REACHED_WITHIN_SECONDS), f"nothing was sent that holds {holding!r}"
        yield


def _judge(holding: bytes, lost: threading.Event, *, reply: bool) -> Judge:
    asked = False

    def judge(message: bytes, from_client: bool) -> Fate:
        nonlocal asked
        if lost.is_set():
            return Fate.PASS
        if from_client:
            asked = asked or holding in message
        if asked and from_client is not reply:
            lost.set()
            return Fate.DROP
        return Fate.PASS

    return judge
