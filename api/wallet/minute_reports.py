"""Tells Redis what this gateway does in each minute, for the console's live figures.

A bet pays nothing for it: the counts are those of the metrics (docs/adr/0029, 0036).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

from api.wallet.answer_counts import requests
from broker.minutes import Ask, report_minute
from metrics.measured import REPLY
from models.codes import Code
from models.minute_figures import MinuteFigures

#: A histogram keeps 50,000 new values: enough for 5,000 answers per second.
_EVERY_SECONDS: Final = 10
_UNTOLD_MAX: Final = 60  # minutes in which Redis could not be told anything
_LAST_WITHIN_SECONDS: Final = 1.0
_NEW_BETS: Final = ("pay_in", "pay_in_out")


def counted() -> MinuteFigures:
    """What this gateway has done since it began."""
    bets, codes = 0, Counter[int]()
    for (call, code, _, _), count in requests().items():
        if call:  # otherwise it asked for a path that we do not have
            codes[int(code)] += int(count)
            bets += int(count) if call in _NEW_BETS and int(code) == Code.DONE else 0
    REPLY.fold()
    return MinuteFigures(bets, codes, tuple(REPLY.counts))


class MinuteReports:
    """Reports every ten seconds, and at the end. What Redis was not told is told later."""

    def __init__(self, ask: Ask, now: Callable[[], float] = time.time) -> None:
        """`now`: Unix time."""
        self._ask = ask
        self._now = now
        self._gateway = uuid4().hex
        self._minute = int(now() // 60)
        self._before = counted()  # at the beginning of the minute
        self._untold: dict[int, MinuteFigures] = {}

    async def keep(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS - self._now() % _EVERY_SECONDS)
            await self.report()

    async def report(self) -> None:
        """Report this minute, and those that could not be reported before."""
        minute, counts = int(self._now() // 60), await asyncio.to_thread(counted)
        self._untold[self._minute] = counts - self._before
        for told in list(self._untold):
            if not await report_minute(self._ask, self._gateway, told, self._untold[told]):
                break
            del self._untold[told]
        while len(self._untold) > _UNTOLD_MAX:
            del self._untold[min(self._untold)]
        if minute != self._minute:
            self._minute, self._before = minute, counts

    async def stop(self) -> None:
        """Report for the last time, if Redis answers at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WITHIN_SECONDS):
                await self.report()
