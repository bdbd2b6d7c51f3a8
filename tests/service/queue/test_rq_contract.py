"""Ours leaves the same in Redis as stock RQ. Every difference is listed and explained here."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from tests.service.queue.rq_shapes import Shape
from tests.service.queue.rq_sides import Ours, Stock
from tests.service.support.world import World, new_world

STATES = ("queued", "started", "finished", "failed", "stopped")

# Paths that may differ, and why. A path is a key, `key (ttl)`, or `key field`.
ONLY_OURS = {
    "betcore:*": "what is in flight, leases and nonces; RQ looks at none of them",
    "rq:job:<*> accounts": "the players of its commands",
    "rq:job:<*> times": "until when its commands may be applied; RQ has nothing of the kind",
    "rq:job:<*> holds": "whether it holds its players",
    "rq:job:<*> queued_ms": "since when it is on the queue, to tell how long the queue is",
    "rq:job:<*> batch": "which batch has or had it: so it is in hand, or may have been applied",
    "rq:worker:<worker> betcore": "the mark by which a worker is known as ours",
    "rq:job:<bad> exc_info": "RQ keeps it in the result only, we where older dashboards look too",
}
ONLY_STOCK = {
    "rq:executions:<good>*": "for RQ's stop-job and heartbeats, which a batch does not have",
    "rq:job:<*> ended_at": "RQ writes it empty at first, and reads a missing field as an empty one",
    "rq:job:<*> started_at": "the same",
    "rq:job:<*> last_heartbeat": "the same",
    "rq:job:<*> worker_name": "the same",
    "rq:job:<*> group_id": "the same",
    "rq:job:<*> *_callback_name": "the same",
    "rq:clean_groups*": "RQ's maintenance of job groups, of which we have none",
}
OTHER_VALUE = {
    "rq:job:<*> data": "another function; and not compressed, which RQ reads as well",
    "rq:results:<good> 0 return_value": "another answer",
    "rq:results:<bad> 0 exc_string": "another failure",
    "rq:worker:<worker> pid": "another process",
    "rq:worker:<worker> total_working_time": "another duration",
    "rq:worker:<worker> (ttl)": "one that is killed is shown for 30 s, not for minutes",
    # Our leases recover whole batches. RQ must not do it job by job, whoever waits for its players.
    "rq:wip:bets <good>:<execution>": "scored a day ahead, out of reach of RQ's clean-up",
    "rq:execution:<good>:<execution> (ttl)": "as long as the job may be shown as started",
    "rq:worker:<worker>:executions (ttl)": "the same",
}


@pytest.fixture(scope="module")
def contract_world() -> Iterator[World]:
    """Servers whose Redis each side finds empty."""
    with new_world() as world:
        yield world


@pytest.fixture(scope="module")
def lives(contract_world: World) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """The life of the same two jobs on stock RQ, and on ours."""
    return Stock(contract_world).life(), Ours(contract_world).life()


@pytest.mark.parametrize("state", STATES)
def test_stock_rq_and_ours_leave_the_same_keys_fields_and_times(
    state: str, lives: tuple[dict[str, Shape], dict[str, Shape]]
) -> None:
    stock, ours = lives[0][state], lives[1][state]

    for differing, explained in _differences(stock, ours):
        unexplained = {path for path in differing if not _reasons(path, explained)}
        assert not unexplained


def test_every_explanation_is_of_a_difference_there_is(
    lives: tuple[dict[str, Shape], dict[str, Shape]],
) -> None:
    needed: set[str] = set()
    for state in STATES:
        for differing, explained in _differences(lives[0][state], lives[1][state]):
            needed.update(*(_reasons(path, explained) for path in differing))

    assert needed == ONLY_OURS.keys() | ONLY_STOCK.keys() | OTHER_VALUE.keys()


def test_nothing_of_ours_is_left_of_an_ended_job_but_its_nonce(
    lives: tuple[dict[str, Shape], dict[str, Shape]],
) -> None:
    ours = lives[1]["stopped"]

    left = {path.partition(" ")[0] for path in ours if path.startswith("betcore:")}
    assert left == {"betcore:memory", "betcore:nonce:1:<nonce>"}
    assert ours["betcore:nonce:1:<nonce> (ttl)"] == "in about 60 s"


def _differences(stock: Shape, ours: Shape) -> list[tuple[set[str], dict[str, str]]]:
    """The paths that only one side has, or with another value; each with what may explain it."""
    other_value = {path for path in stock.keys() & ours.keys() if stock[path] != ours[path]}
    return [
        (ours.keys() - stock.keys(), ONLY_OURS),
        (stock.keys() - ours.keys(), ONLY_STOCK),
        (other_value, OTHER_VALUE),
    ]


def _reasons(path: str, explained: dict[str, str]) -> set[str]:
    return {pattern for pattern in explained if fnmatchcase(path, pattern)}
