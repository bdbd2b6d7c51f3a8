"""The faults of a campaign, with their times. A seed determines them, so they can be repeated."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.crash.installation import FRONTS, GATEWAYS, LINKS, WORKERS
from tests.crash.points import GATEWAY, POINTS
from tests.crash.servers import POSTGRES, SERVERS, VALKEY

OURS = (*GATEWAYS, *WORKERS)
_ADMITTING = [f"{name} > {VALKEY}" for name in GATEWAYS]
_COMMITTING = [f"{name} > {POSTGRES}" for name in WORKERS]
_FINISHING = [f"{name} > {VALKEY}" for name in WORKERS]
#: Targets of each kind of fault, and how long it lasts (seconds; drawn between the two).
KINDS: dict[str, tuple[Sequence[str], tuple[float, float]]] = {
    "kill": (OURS, (0, 0)),
    "terminate": (OURS, (0, 0)),
    "stop": ((*OURS, *SERVERS), (2, 20)),
    "stop at a point": (WORKERS, (2.5, 6)),
    "crash": (SERVERS, (0.2, 3)),
    "outage": ((POSTGRES,), (9, 12)),  # longer than any deadline
    "empty": ((VALKEY,), (0.2, 2)),
    "kill everything": (("everything",), (0, 0)),
    "cut": ([f"{a} > {b}" for a, b in (*LINKS, *FRONTS)], (0, 0)),
    "refuse": ([f"{a} > {b}" for a, b in (*LINKS, *FRONTS)], (0.5, 4)),
    "delay": ([f"{a} > {b}" for a, b in (*LINKS, *FRONTS)], (2, 6)),
    "swallow": ([f"{a} > {b}" for a, b in (*LINKS, *FRONTS)], (2, 8)),
    "lose an admission": (_ADMITTING, (0, 0)),
    "lose a commit": (_COMMITTING, (0, 0)),
    "lose a finish": (_FINISHING, (0, 0)),
    "lose the reply to an admission": (_ADMITTING, (0, 0)),
    "lose the reply to a commit": (_COMMITTING, (0, 0)),
    "lose the reply to a finish": (_FINISHING, (0, 0)),
    "forget an admission": (_ADMITTING, (0, 0)),
    "crash at a draw of ids": ((POSTGRES,), (0.2, 1)),
    "fill the disk": ((VALKEY,), (1, 5)),
    "suspend": (("queue",), (1, 5)),
    "delete a job": (("queue",), (0, 0)),
    "cancel a job": (("queue",), (0, 0)),
    "end half of a job": (("queue",), (0, 0)),
}
_POINT = "point"
# Where a worker can stand still with a batch in hand, for longer than its lease.
_STANDING = ("after take", "before load", "after load", "after write", "after commit")
_PAUSE_SECONDS = (0.2, 1.0)
# How often each kind comes in a long campaign, beside every point once.
_OFTEN = {
    "kill": 5,
    "terminate": 3,
    "stop": 4,
    "stop at a point": 4,
    "crash": 4,
    "cut": 2,
    "swallow": 2,
    "delay": 2,
}
_TOGETHER = 3  # pairs of faults at the same time


@dataclass(frozen=True)
class Fault:
    """One thing that is broken; `detail` is the point at which a process kills itself."""

    kind: str
    target: str
    seconds: float = 0.0
    detail: str = ""

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind} {self.detail or ''}({self.target}){lasting}"


@dataclass(frozen=True)
class Step:
    """Faults that happen at the same time, and how long it stays quiet before them."""

    pause: float
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Plan:
    """All of a campaign: its steps, and what the clients do.

    `favourite` is a game that every other bet is, '' none; `without` is a guard of the product that
    is taken away (`tests/crash/guards.py`), '' in every campaign that should find nothing wrong.
    """

    seed: int
    steps: tuple[Step, ...]
    favourite: str = ""
    without: str = ""


def draw(seed: int, *, short: bool) -> Plan:
    """The plan of a campaign. Every point is in every plan; a short one has little else."""
    chance = random.Random(seed)
    groups = _short(chance) if short else _long(chance)
    chance.shuffle(groups)
    pauses = (0.0, 0.2) if short else _PAUSE_SECONDS
    return Plan(seed, tuple(Step(chance.uniform(*pauses), tuple(group)) for group in groups))


def _short(chance: random.Random) -> list[list[Fault]]:
    """Points by volleys of different processes, and a fault of each server, a process and a job."""
    of_gateways = [point for point, role in POINTS.items() if role == GATEWAY]
    of_workers = [point for point, role in POINTS.items() if role != GATEWAY]
    chance.shuffle(of_gateways)
    chance.shuffle(of_workers)
    groups = []
    while of_workers:
        places = [*chance.sample(WORKERS, 2), chance.choice(GATEWAYS)]
        points = [of_workers.pop(), of_workers.pop(), *of_gateways[:1]]
        del of_gateways[:1]
        groups.append([_at(p, target) for p, target in zip(points, places, strict=False)])
    stop = replace(_draw(chance, "stop at a point"), seconds=2.5)
    whole = [_draw(chance, "empty"), _draw(chance, "crash", POSTGRES), stop]
    return [*groups, *([fault] for fault in (*whole, _draw(chance, "delete a job")))]


def _long(chance: random.Random) -> list[list[Fault]]:
    """Every point, every kind, some often, some at the same time."""
    groups = [[_at(p, chance.choice(_places(role)))] for p, role in POINTS.items()]
    for kind in KINDS:
        groups += [[_draw(chance, kind)] for _ in range(_OFTEN.get(kind, 1))]
    for _ in range(_TOGETHER):
        first = _draw(chance, chance.choice(("kill", "terminate")))
        links = [f"{a} > {b}" for a, b in (*LINKS, *FRONTS) if a != first.target]
        second = _draw(chance, chance.choice(("swallow", "delay", "refuse")), chance.choice(links))
        groups.append([first, second])
    return groups


def _draw(chance: random.Random, kind: str, target: str = "") -> Fault:
    targets, seconds = KINDS[kind]
    chosen = target or chance.choice(targets)
    if kind == "stop" and chosen in SERVERS:
        seconds = (2, 6)  # longer, and nothing at all would go on
    detail = chance.choice(_STANDING) if kind == "stop at a point" else ""
    return Fault(kind, chosen, round(chance.uniform(*seconds), 1), detail)


def _at(point: str, target: str) -> Fault:
    return Fault(_POINT, target, detail=point)


def _places(role: str) -> tuple[str, ...]:
    return GATEWAYS if role == GATEWAY else WORKERS
