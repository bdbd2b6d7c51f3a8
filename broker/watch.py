"""A gateway's check of its Redis: when it connects, and every second while it runs."""

import asyncio
import hashlib
import logging

from redis import exceptions as redis_errors

from broker.conditions import Conditions, UnfitRedis, is_forbidden, judge, parse_info, refused
from broker.permissions import GATEWAY, require_permissions
from broker.registered import SUSPENDED, Attendance, read_attendance
from broker.scripts import common_arguments, source
from broker.wire import Wire
from logs.warning_throttle import Reminder

_EVERY_SECONDS = 1.0
_PROBE, _REMEMBER, _WORKERS = map(source, ("probe", "remember", "workers"))
_PROBE_SHA = hashlib.sha1(_PROBE.encode()).hexdigest()  # noqa: S324 # Redis's name of a script
_NOBODY = Attendance(suspended=False, workers=())


class Watch:
    """Checks the Redis of one gateway."""

    def __init__(self, queue: str, within_seconds: float) -> None:
        """`within_seconds` is the time limit of one check."""
        self._queue = queue
        self._within_seconds = within_seconds
        self._reminder = Reminder(logging.getLogger("betcore.redis"))
        self._attendance = _NOBODY
        self._warnings: tuple[str, ...] = ()
        self.unfit = ""  # why the last check found Redis unusable
        #: Why no bet may be admitted although Redis can be used, in one line; otherwise "". Each
        #: admission asks for it.
        self.refusing = ""

    @property
    def trouble(self) -> str:
        """Why a bet would be refused, in one line, or "" when it would not."""
        return self.unfit or self.refusing or (SUSPENDED if self._attendance.suspended else "")

    @property
    def warnings(self) -> list[str]:
        """What should be corrected but refuses no bet, one line each."""
        foreign = self._attendance.warning(self._queue)
        return [*self._warnings, *([foreign] if foreign and not self.refusing else [])]

    async def meet(self, wire: Wire) -> int:
        """Check a new connection. Returns when the memory of this Redis began, in ms.

        Raises UnfitRedis, RedisError or TimeoutError: no request may be admitted there.
        """
        try:
            async with asyncio.timeout(self._within_seconds):
                # All at once, because a failover waits for it.
                common = common_arguments(self._queue)
                questions = (
                    wire.call("INFO"),
                    wire.call("SCRIPT", "LOAD", _PROBE),
                    wire.call("EVALSHA", _PROBE_SHA, 0, *common, *GATEWAY),
                )
                info, _, forbidden = await asyncio.gather(*questions)
                conditions = _judged(info)
                require_permissions(forbidden)
                return await self._look(wire, conditions)
        except redis_errors.ResponseError as error:
            if not is_forbidden(error):  # of the moment, as while Redis loads its file
                raise
            raise self._note(refused(error)) from error
        except UnfitRedis as error:
            raise self._note(error) from None

    async def keep(self, wire: Wire) -> None:
        """Check every second until the connection is lost.

        Raises as `meet` does, as soon as the server can no longer be used.
        """
        while not (await asyncio.wait([wire.lost], timeout=_EVERY_SECONDS))[0]:
            try:
                async with asyncio.timeout(self._within_seconds):
                    await self._look(wire, _judged(await wire.call("INFO")))
            except UnfitRedis as error:
                raise self._note(error) from None

    async def _look(self, wire: Wire, conditions: Conditions) -> int:
        """Note which Redis this is, before any request is admitted, and who works on the queue."""
        common = common_arguments(self._queue)
        known_by = (conditions.run_id, conditions.evicted_keys)
        remembered = wire.call("EVAL", _REMEMBER, 0, *common, *known_by)
        workers = wire.call("EVAL", _WORKERS, 0, *common)
        born, attendance = await asyncio.gather(remembered, workers)
        self._attendance = found = read_attendance(attendance)
        self.refusing = found.warning(self._queue) if found.only_foreign else ""
        self._warnings = conditions.warnings
        self.unfit = ""
        self._reminder.say(line for line in (self.trouble, *self.warnings) if line)
        return int(born)

    def _note(self, error: UnfitRedis) -> UnfitRedis:
        self.unfit = str(error)
        self._reminder.say([self.unfit])
        return error


def _judged(info: bytes) -> Conditions:
    return judge(parse_info(info.decode(errors="replace")))
