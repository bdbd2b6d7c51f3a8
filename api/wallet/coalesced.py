"""Combines look-ups: all that arrive while one is in progress share the next one."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from logs.warning_throttle import WarningThrottle
from models.deadline import Deadline
from models.errors import BetcoreError

Key = TypeVar("Key")
Value = TypeVar("Value")

_LOG = logging.getLogger("betcore.lookups")
_LOG.addFilter(WarningThrottle())


class LookupFailed(BetcoreError):  # noqa: N818
    """The look-up failed. Whether the thing exists is unknown."""


class Coalesced(Generic[Key, Value]):
    """Calls `load(keys)` in its own thread, one call at a time, for everybody who waits.

    An answer always comes from a load that began after the question. Nothing is cached here.
    """

    def __init__(
        self,
        load: Callable[[Sequence[Key]], Sequence[Value]],
        close: Callable[[], None] = lambda: None,
        spacing_seconds: float = 0,
    ) -> None:
        """`close` is called at the end, in the same thread as `load`.

        `spacing_seconds` is the least time between two loads, however often somebody asks.
        """
        self._load = load
        self._close = close
        self._spacing_seconds = spacing_seconds
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="lookup")
        self._asked: list[tuple[Key, asyncio.Future[Value]]] = []
        self._loading: asyncio.Task[None] | None = None

    async def get(self, key: Key, deadline: Deadline) -> Value:
        """Return the value of one key. Raises LookupFailed, also when the deadline passes."""
        answer: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._asked.append((key, answer))
        if self._loading is None:
            self._loading = asyncio.create_task(self._keep_loading())
        try:
            async with asyncio.timeout_at(deadline.at):
                return await answer
        except TimeoutError:
            raise LookupFailed from None

    async def stop(self) -> None:
        """Stop without waiting. The thread ends after its present load."""
        if self._loading is not None:
            self._loading.cancel()
        self._executor.submit(self._close)
        self._executor.shutdown(wait=False)

    async def _keep_loading(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asked:
            asked, self._asked = self._asked, []
            keys = [key for key, _ in asked]
            try:
                values = await loop.run_in_executor(self._executor, self._load, keys)
            except Exception as error:
                _LOG.warning("a look-up failed: %s", error)
                failure = LookupFailed(str(error))
                failure.__cause__ = error
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(failure)
            else:
                for (_, answer), value in zip(asked, values, strict=True):
                    if not answer.done():
                        answer.set_result(value)
            if self._spacing_seconds:
                await asyncio.sleep(self._spacing_seconds)
        self._loading = None
