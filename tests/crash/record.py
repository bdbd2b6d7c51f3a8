"""The record of a campaign: every request before it is sent, every answer after, every fault.

One JSON object a line, times in Unix seconds. It is what the oracle reads, and the campaign itself
to know when a fault is over.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

#: Codes after which a real client asks no more (PROTOCOL.md).
FINAL = range(1, 9)


class Record:
    """Appends to a file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a")
        self._lock = threading.Lock()
        self._next = 0
        self._unresolved: dict[str, float] = {}  # bet -> when it was asked for first
        self._bets: dict[int, tuple[str, float]] = {}  # request -> its bet, when it was sent
        self._successes: list[float] = []  # when requests that were answered with 1 were sent

    def ask(self, *, counts: bool, **fields: Any) -> int:
        """Note a request that is about to be sent; its number.

        `counts`: its bet is one that must be resolved soon after every fault.
        """
        with self._lock:
            self._next += 1
            at = self._write("ask", n=self._next, **fields)
            bet = fields.get("bet")
            if counts and bet:
                self._unresolved.setdefault(bet, at)
                self._bets[self._next] = (bet, at)
            return self._next

    def number(self) -> int:
        """The number that the next request will have, if nobody else asks meanwhile."""
        return self._next + 1

    def answer(self, n: int, status: int, body: Any) -> None:
        """Note what a request was answered with; `body` is its JSON, or its text if it is none."""
        code = body.get("_responseCode") if isinstance(body, dict) else None
        with self._lock:
            self._write("answer", n=n, status=status, body=body)
            bet, at = self._bets.pop(n, ("", 0.0))
            if code in FINAL:
                self._unresolved.pop(bet, None)
            if code == 1 and bet:
                self._successes.append(at)

    def silence(self, n: int, why: str) -> None:
        """Note that no answer came."""
        with self._lock:
            self._write("silence", n=n, why=why)
            self._bets.pop(n, None)

    def drop(self, bet: str) -> None:
        """Note that the client has given a bet up, as it may after some answers."""
        with self._lock:
            self._unresolved.pop(bet, None)

    def note(self, what: str, **fields: Any) -> None:
        """Note anything else, such as a fault."""
        with self._lock:
            self._write(what, **fields)

    def has_recovered_since(self, at: float) -> bool:
        """Whether a request sent since then was answered with 1, and all bets of before are."""
        with self._lock:
            return any(sent >= at for sent in self._successes[-200:]) and all(
                first >= at for first in self._unresolved.values()
            )

    def unresolved(self) -> list[str]:
        """The bets of which the clients do not know yet what became of them."""
        with self._lock:
            return list(self._unresolved)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, what: str, **fields: Any) -> float:
        at = time.time()
        self._file.write(json.dumps({"what": what, "at": at} | fields) + "\n")
        self._file.flush()
        return at


def read(path: Path) -> list[dict[str, Any]]:
    """Every line of a record, in order, with its number as `line`."""
    lines = path.read_text().splitlines()
    return [{"line": number} | json.loads(line) for number, line in enumerate(lines, start=1)]
