"""Runs the points of a plan, interleaved, each warmed up, measured and audited."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.audit import AuditFailed, audit, totals
from bench.contender import Contender, Running
from bench.load import TRY_LATER, Generator, LoadFailed, Sent, evenly
from bench.measure import Cost, Meter
from bench.people import People
from bench.plan import Visit
from bench.results import Point, Run
from bench.servers import empty_redis
from bench.traffic import Signed, sign_traffic
from embedded import Urls

_log = logging.getLogger("bench")

_WARM_UP_SECONDS = 1
# Requests are signed for as many a second at least: a warm-up on a busy machine says little.
_FEWEST_PER_SECOND = 6_000
_SPARE = 2.0  # so many times more requests are signed than were answered before


@dataclass
class Rounds:
    """Runs of contenders on servers that they share, one at a time."""

    urls: Urls
    people: People
    contenders: Mapping[str, Contender]
    seconds: int
    _rates: dict[Point, float] = field(default_factory=dict)  # good answers a second, the latest

    def settle_in(self, point: Point) -> None:
        """A run that is not counted.

        The first run on fresh servers pays for what no later one does: memory is cold, and each
        page that changes is written to the WAL whole, once. Raises as `visit`.
        """
        with self.started(point.contender) as running:
            self.closed_loop(point, running, self.seconds)

    def visit(self, visit: Visit, repeat: int) -> Iterator[Run]:
        """Start a contender, run its points, stop it: no other one is there meanwhile.

        Raises AuditFailed, LoadFailed, and what the contender raises.
        """
        with self.started(visit.contender, visit.appendfsync) as running:
            for point in visit.points:
                run = self._run(point, running, repeat)
                _log.info("%s", _in_words(run))
                yield run

    @contextmanager
    def started(self, contender: str, appendfsync: str = "everysec") -> Iterator[Running]:
        """A contender that answers, on an empty Redis."""
        empty_redis(self.urls, appendfsync)
        with self.contenders[contender].start(self.urls) as running:
            yield running

    def closed_loop(
        self, point: Point, running: Running, seconds: float, per_second: float = 0.0
    ) -> tuple[Sent, Cost]:
        """A closed loop. `per_second`: good answers that are expected. Raises as `send`."""
        signed_for = max(_FEWEST_PER_SECOND, per_second * _SPARE)
        count = round(signed_for * seconds) + point.connections
        requests = sign_traffic(self.people, count, point.calls, point.players)
        return self.send(point, running, requests, seconds=seconds)

    def send(
        self,
        point: Point,
        running: Running,
        requests: Sequence[Signed],
        *,
        due: Sequence[float] = (),
        seconds: float = math.inf,
        begin: float = 0.0,
    ) -> tuple[Sent, Cost]:
        """Send requests as a Generator does, and audit what is recorded then.

        Raises AuditFailed or LoadFailed.
        """
        recorded = totals(self.urls.database)
        generator = Generator(
            running.url,
            [signed.request for signed in requests],
            point.connections,
            due=due,
            seconds=seconds,
        )
        meter = Meter(self.urls, running)
        before = meter.read()
        sent = generator.run(begin)
        cost = meter.cost(before, meter.read(), sent.good)
        # Whatever was refused with 99 is not recorded; what was not answered well may be.
        left = [
            signed
            for signed, kind, late in zip(requests, sent.kinds, sent.left, strict=False)
            if late >= 0 and kind != TRY_LATER
        ]
        try:
            audit(self.urls.database, recorded, left, unknown=len(left) - sent.good)
        except AuditFailed as error:
            raise AuditFailed(f"{point.label}: {error}") from error
        return sent, cost

    def _run(self, point: Point, running: Running, repeat: int) -> Run:
        warm_up, _ = self.closed_loop(point, running, _WARM_UP_SECONDS)
        if point.percent:
            capacity = self._rates.get(Point(point.of, 64))
            if capacity is None:
                raise LoadFailed(f"{point.label}: measure {point.of} with 64 connections first.")
            due = evenly(capacity * point.percent / 100, self.seconds)
            requests = sign_traffic(self.people, len(due), point.calls, point.players)
            sent, cost = self.send(point, running, requests, due=due)
        else:
            expected = max(self._rates.get(point, 0.0), warm_up.summary().per_second)
            sent, cost = self.closed_loop(point, running, self.seconds, expected)
        load = sent.summary()
        self._rates[point] = load.per_second
        return Run(point, repeat, load, cost)


def _in_words(run: Run) -> str:
    load = run.load
    latency = f"p50 {load.latency.p50:.1f} ms, p99 {load.latency.p99:.1f} ms"
    marks = [f"bad answers: {dict(load.bad)}"] if load.bad else []
    marks += [f"{run.cost.steal:.0%} of the time stolen"] if run.stolen else []
    rate = f"{load.per_second:,.0f} a second"
    return "; ".join([f"{run.repeat + 1}. {run.point.label}: {rate}", latency, *marks])
