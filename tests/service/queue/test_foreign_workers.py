"""Workers of stock RQ on our queue can only delay a bet, and every status shows them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from redis import Redis
from rq import Queue, SimpleWorker, Worker

from tests.service.support.http import http_get
from tests.service.support.processes import Process, until
from tests.service.support.queue_world import QueueWorld, finish, ids, take
from tests.service.support.world import PlayerSession, World

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
    gateway, worker = own_world.gateway(), own_world.worker()
    client = own_world.provider()
    players = [own_world.open_session(client, "100") for _ in range(3)]

    def play(player: PlayerSession) -> list[int]:
        return [player.pay_in_out(10, 5, betId=f"{player.account_id}-{n}").code for n in range(6)]

    def said() -> str:
        return http_get(f"{gateway.url}/readyz").text

    own_world.wait_for_memory()
    with stock_workers(own_world) as stock, ThreadPoolExecutor(len(players)) as threads:
        codes = list(threads.map(play, players))
        took = [process for process in stock if "exception raised" in process.output]

        assert took, "no stock worker took a bet: this test shows nothing"
        assert codes == [[1] * 6] * 3
        assert [own_world.balance(player) for player in players] == [70] * 3
        for player in players:
            bets = [client.status(f"{player.account_id}-{n}").body["state"] for n in range(6)]
            assert bets == ["settled"] * 6

        until(lambda: "'stock-0'" in said())
        assert http_get(f"{gateway.url}/readyz").status_code == 200  # bets are late, and no more
        until(lambda: "'stock-0' (host " in worker.output and "'stock-0'" in gateway.output)
        until(lambda: own_world.redis.zcard("rq:failed:bets") == 0)  # nothing had failed

        worker.stop()
        until(lambda: "no worker of betcore is there" in said())
        assert http_get(f"{gateway.url}/readyz").status_code == 503
        assert players[0].pay_in_out(1).code == 99  # certainly not admitted


# What a stock worker does to a job, step by step, at every moment that matters.


def test_a_group_that_a_stock_worker_holds_comes_back_and_the_worker_changes_no_end(
    queue_world: QueueWorld,
) -> None:
    """It took the group; it starts, fails, or ends when it likes."""
    redis, worker = queue_world.redis, queue_world.worker()
    for number, write in enumerate([started, failed, finished, nothing]):
        commands = queue_world.admit_together(10 * number, 10 * number + 1)
        waiting = queue_world.admit_together(10 * number)
        group = queue_world.pop_one()
        write(redis, group)

        worker.sweep()
        assert redis.llen("rq:queue:bets") == 0  # no other stock worker gets it
        batch = take(worker)
        assert ids(batch) == commands
        for late in (started, failed):
            late(redis, group)
            worker.sweep()
            assert take(queue_world.worker("other")).jobs == ()
        assert finish(worker, batch)

        assert queue_world.status(group) == "finished"
        failed(redis, group)  # only now
        assert ids(batch := take(worker)) == waiting
        worker.sweep()
        assert finish(worker, batch)
        assert worker.tidy() == 1
        assert queue_world.failed() == set()
        assert queue_world.status(group) == "finished"
        assert redis.hget(f"rq:job:{group}", "exc_info") is None
        assert 0 < redis.ttl(f"rq:job:{group}") <= 60
    assert queue_world.under_way() == set()


def test_two_stock_workers_that_took_two_groups_hurt_neither(queue_world: QueueWorld) -> None:
    both = [queue_world.admit_together(*accounts) for accounts in ((1, 2), (3, 4))]
    worker = queue_world.worker()
    groups = [queue_world.pop_one() for _ in both]
    started(queue_world.redis, groups[0])
    failed(queue_world.redis, groups[1])
    queue_world.redis.delete("rq:queue:bets:intermediate")  # as one on two queues takes: by BLPOP

    worker.sweep()

    assert sorted(ids(take(worker))) == sorted([*both[0], *both[1]])


def test_a_group_whose_hash_a_worker_deleted_lets_what_waits_go_on(queue_world: QueueWorld) -> None:
    queue_world.admit_together(7, 8)
    waiting = queue_world.admit_together(7)
    worker = queue_world.worker()
    group = queue_world.pop_one()
    queue_world.redis.delete(f"rq:job:{group}")
    queue_world.redis.hset(f"rq:job:{group}", "last_heartbeat", "now")  # as RQ may leave behind

    worker.sweep()

    assert ids(take(worker)) == waiting
    assert queue_world.holder(8) is None


def test_what_stock_rq_tidies_up_takes_nothing_from_us(queue_world: QueueWorld) -> None:
    """A stock worker begins by cleaning the registries of its queues."""
    commands = queue_world.admit_together(7, 8, 9)
    lost = queue_world.pop_one()
    started(queue_world.redis, lost)
    queue_world.redis.zadd("rq:wip:bets", {f"{lost}:{'0' * 32}": 1})  # it died long ago
    bets = Queue("bets", connection=queue_world.redis)
    stock = SimpleWorker([bets], connection=queue_world.redis)
    stock.register_birth()  # type: ignore[no-untyped-call]  # RQ's
    stock.clean_registries()  # type: ignore[no-untyped-call]  # RQ's
    assert queue_world.status(lost) == "failed"

    worker = queue_world.worker()
    worker.sweep()

    batch = take(worker)
    assert ids(batch) == commands
    assert finish(worker, batch)
    assert queue_world.failed() == set()
    assert [seen.name for seen in worker.attendance().foreign] == [stock.name]


def test_a_text_in_place_of_a_failed_job_keeps_nobody_from_tidying_up(
    queue_world: QueueWorld,
) -> None:
    [command] = queue_world.admit_together(7)
    worker = queue_world.worker()
    assert finish(worker, take(worker))
    queue_world.redis.set("rq:job:planted", "a text")
    queue_world.redis.zadd("rq:failed:bets", {"planted": 2_000_000_001, command: 2_000_000_000})

    assert worker.tidy() == 1
    assert queue_world.failed() == {"planted"}


def started(redis: Redis, job_id: str) -> None:
    """The worker prepares to run the job."""
    redis.lrem("rq:queue:bets:intermediate", 1, job_id)
    redis.hset(f"rq:job:{job_id}", mapping={"status": "started", "worker_name": "stock"})
    redis.persist(f"rq:job:{job_id}")


def failed(redis: Redis, job_id: str) -> None:
    """The worker could not run the job."""
    redis.lrem("rq:queue:bets:intermediate", 1, job_id)
    redis.hset(f"rq:job:{job_id}", mapping={"status": "failed", "exc_info": "what went wrong"})
    redis.expire(f"rq:job:{job_id}", 86_400)
    redis.zadd("rq:failed:bets", {job_id: time.time() + 86_400})


def finished(redis: Redis, job_id: str) -> None:
    """The worker ran something else instead of the job."""
    redis.lrem("rq:queue:bets:intermediate", 1, job_id)
    redis.hset(f"rq:job:{job_id}", mapping={"status": "finished"})
    redis.expire(f"rq:job:{job_id}", 500)


def nothing(redis: Redis, job_id: str) -> None:
    """The worker sleeps."""
