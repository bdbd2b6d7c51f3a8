"""Our own contender: the gateway and the worker as shipped, with the settings as shipped."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.contender import Contender, Running
from bench.contenders.processes import started
from embedded import Urls


@contextmanager
def _start(gateways: int, workers: int, urls: Urls) -> Iterator[Running]:
    with started(urls) as processes:
        processes.log_in()
        processes.workers(workers, "ops.cli", "worker")
        url = processes.gateways(gateways, "ops.cli", "gateway")
        yield processes.running(url)


OURS = Contender("ours", "one gateway, one worker, as shipped", partial(_start, 1, 1))
OURS_2X2 = Contender(
    "ours-2x2", "two gateways on one port, two workers, as shipped", partial(_start, 2, 2)
)
