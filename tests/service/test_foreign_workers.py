"""Workers of stock RQ on our queue: they delay a bet at most, and everybody who looks is told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from rq import Worker

from tests.service.processes import Process, until
from tests.service.world import Seat, World

# As an operator may start them by mistake; the first is `rq worker`, which forks for each job.
STOCK = [
    ("rq.Worker", "pickle"),
    ("rq.SimpleWorker", "pickle"),
    ("rq.SimpleWorker", "json"),
]


@contextmanager
def stock_workers(world: World) -> Iterator[list[Process]]:
    """RQ's own workers on our queue, registered."""
    with ExitStack() as running:
        started = [
            running.enter_context(
                Process(
                    world.urls,
                    *("rq.cli", "worker", "bets", "--name", f"stock-{number}"),
                    *("--worker-class", kind, "--serializer", serializer),
                    *("-u", world.urls.redis),
                )
            )
            for number, (kind, serializer) in enumerate(STOCK)
        ]
        until(
            lambda: len(Worker.all_keys(world.redis)) >= len(STOCK) + len(world.workers),
            lambda: "".join(process.output for process in started),
            seconds=60,
        )
        yield started


def test_stock_workers_on_our_queue_delay_bets_and_hurt_none(own_world: World) -> None:
    own_world.gateway()
    own_world.worker()
    client = own_world.provider()
    seats = [own_world.seat(client, "100") for _ in range(3)]

    def play(seat: Seat) -> list[int]:
        return [seat.pay_in_out(10, 5, betId=f"{seat.account_id}-{n}").code for n in range(6)]

    with stock_workers(own_world) as stock, ThreadPoolExecutor(len(seats)) as players:
        codes = list(players.map(play, seats))
        took = [process for process in stock if "workers.jobs" in process.output]

    assert took, "no stock worker took a bet: this test shows nothing"
    assert codes == [[1] * 6] * 3
    assert [own_world.balance(seat) for seat in seats] == [70] * 3
