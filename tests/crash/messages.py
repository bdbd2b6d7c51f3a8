"""Loses one message of a kind between a process of ours and a server, at a proxy."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from tests.service.support.proxy import Fate, Judge, Proxy, let_pass

REACHED_WITHIN_SECONDS: Final = 40.0
_DRAWN_WITHIN_SECONDS = 120.0  # a worker draws ids once in hundreds of bets


def _running(statement: bytes) -> re.Pattern[bytes]:
    """A message that runs a prepared statement of PostgreSQL's (`Bind`), not one that makes it."""
    return re.compile(rb"B.{4}\x00" + statement + rb"\x00", re.DOTALL)


#: Kinds of messages, by what their bytes hold as their sender sends them.
ADMISSION: Final = re.compile(rb'"(bets|cash)\.[a-z_]+",')  # the function of a job
COMMIT: Final = _running(b"commit")
FINISH: Final = re.compile(rb"betcore:replies:")
DRAW: Final = _running(b"next_ids")
#: What each fault of that name loses: which message, and whether not it but the reply to it.
LOSSES: Final = {
    "lose an admission": (ADMISSION, False),
    "lose a commit": (COMMIT, False),
    "lose a finish": (FINISH, False),
    "lose the reply to an admission": (ADMISSION, True),
    "lose the reply to a commit": (COMMIT, True),
    "lose the reply to a finish": (FINISH, True),
}
_REFUSES_SECONDS = 0.2  # once it is lost


def lose(proxy: Proxy, message: re.Pattern[bytes], *, reply: bool) -> float:
    """Lose the next message of a kind, or its reply, and end all connections; when it was.

    What is lost as a reply is whatever comes next from the server: since all connections end, the
    reply is lost in any case. Raises AssertionError when no such message is sent.
    """
    with losing(proxy, message, reply=reply):
        at = time.time()
        threading.Event().wait(_REFUSES_SECONDS)
    return at


@contextmanager
def losing(proxy: Proxy, message: re.Pattern[bytes], *, reply: bool) -> Iterator[None]:
    """Likewise; the body runs once it is lost, and meanwhile no connection is made."""
    lost = threading.Event()
    proxy.judge = _judge(message, lost, reply=reply)
    try:
        assert lost.wait(REACHED_WITHIN_SECONDS), f"nothing was sent that holds {message.pattern!r}"
        yield
    finally:
        proxy.judge = let_pass
        proxy.refuses = False


@contextmanager
def silent_after(proxies: Sequence[Proxy], message_of: re.Pattern[bytes]) -> Iterator[None]:
    """The next message of this kind is answered; nothing that is sent later arrives.

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
            if from_client and message_of.search(message):
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
        sent = answered.wait(_DRAWN_WITHIN_SECONDS)
        assert sent, f"nothing was sent that holds {message_of.pattern!r}"
        yield


def _judge(message_of: re.Pattern[bytes], lost: threading.Event, *, reply: bool) -> Judge:
    asked = False

    def judge(message: bytes, from_client: bool) -> Fate:
        nonlocal asked
        if lost.is_set():
            return Fate.PASS
        if from_client:
            asked = asked or bool(message_of.search(message))
        if asked and from_client is not reply:
            lost.set()
            return Fate.DROP
        return Fate.PASS

    return judge
