"""Runs the points of a plan, interleaved, each warmed up, measured and audited."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bench.audit import AuditFailed, audit, totals
from bench.contender import Contender, Running
from bench.measure import Cost, Meter
from bench.people import People
from bench.plan import Visit
from bench.results import Point, Run
from bench.servers import empty_redis
from bench.traffic import sign_traffic
from bench.wrk import Load, LoadFailed, drive
from embedded import Urls

_log = logging.getLogger("bench")

OPEN_LOOP_SHARE = 0.7  # of what the closed loop reached with as many connections
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
            self.load(point, running, signed_for(0), self.seconds)

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

    def load(
        self,
        point: Point,
        running: Running,
        per_second: float,
        seconds: int,
        rate: float | None = None,
    ) -> tuple[Load, Cost]:
        """Put a contender under load, with requests for so many a second, and audit it.

        Raises AuditFailed or LoadFailed.
        """
        count = round(per_second * seconds) + point.connections
        recorded = totals(self.urls.database)
        meter = Meter(self.urls, running)
        requests = sign_traffic(self.people, count, point.calls, point.players)
        before = meter.read()
        load, sent = drive(running.url, requests, point.connections, seconds, rate)
        cost = meter.cost(before, meter.read(), load.good)
        # The end of a load cuts off one request a connection, and no more.
        unknown = len(sent) - load.good  # each of them may have been applied or not
        if unknown > point.connections + load.failed:
            raise LoadFailed(f"{point.label}: {unknown} requests were never answered.")
        try:
            audit(self.urls.database, recorded, sent, unknown)
        except AuditFailed as error:
            raise AuditFailed(f"{point.label}: {error}") from error
        return load, cost

    def _run(self, point: Point, running: Running, repeat: int) -> Run:
        closed = replace(point, open_loop=False)
        warm_up, _ = self.load(closed, running, signed_for(0), _WARM_UP_SECONDS)
        capacity = self._rates.get(closed, warm_up.per_second)
        rate = capacity * OPEN_LOOP_SHARE if point.open_loop else None
        per_second = rate or signed_for(max(capacity, warm_up.per_second))
        load, cost = self.load(point, running, per_second, self.seconds, rate)
        self._rates[point] = load.per_second
        return Run(point, repeat, load, cost)


def signed_for(per_second: float) -> float:
    """How many requests a second are signed for a contender that answered so many before."""
    return max(_FEWEST_PER_SECOND, per_second * _SPARE)


def _in_words(run: Run) -> str:
    load = run.load
    latency = f"p50 {load.latency.p50:.1f} ms, p99 {load.latency.p99:.1f} ms"
    marks = [f"bad answers: {dict(load.bad)}"] if load.bad else []
    marks += [f"{load.sockets} errors of connections"] if load.sockets else []
    marks += [f"{run.cost.steal:.0%} of the time stolen"] if run.stolen else []
    rate = f"{load.per_second:,.0f} a second"
    return "; ".join([f"{run.repeat + 1}. {run.point.label}: {rate}", latency, *marks])
