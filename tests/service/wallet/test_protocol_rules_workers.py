"""PROTOCOL.md, "a code may say no only if the bet can never turn out applied": workers."""

import signal
from concurrent.futures import ThreadPoolExecutor

from ops.logins import login_url
from tests.service.support.bet_rows import WIN, bet_in
from tests.service.support.faults import frozen
from tests.service.support.load import LONG_TIMEOUTS
from tests.service.support.processes import until
from tests.service.support.proxy import Proxy, postgres_proxy, through
from tests.service.support.refusals import assert_refused, beside
from tests.service.support.world import World
from tests.service.wallet.short_timeout_world import under_way


def test_a_no_stays_a_no_when_the_worker_that_first_took_it_wakes_up(
    own_world: World,
) -> None:
    world = own_world
    world.gateway(**LONG_TIMEOUTS)
    with postgres_proxy(world.urls) as proxy, ThreadPoolExecutor(2) as threads:
        behind = through(world.urls, postgres=proxy).database
        sleeper = world.worker(DATABASE_URL=login_url(behind, "worker"))
        player = world.open_session(world.provider(), "10")
        other = world.open_session(player.client, "10")
        settled = bet_in("settled by pay-in-out", other)
        other.call("pay-in", "spent", betAmount=WIN)
        shut(proxy)
        with frozen(sleeper.pid):
            world.redis.delete("betcore:idle:bets")  # without its offer it takes both together
            paid = threads.submit(player.call, "pay-out", "late", winAmount=5)
            undone = threads.submit(other.call, "refund", settled)
            until(lambda: len(under_way(world, player) + under_way(world, other)) == 2)
        until(lambda: taken(world) == 2, lambda: sleeper.output)

        # The sleeper has both, and finds no database; another worker answers in its place.
        sleeper.signal(signal.SIGSTOP)
        world.worker()
        assert_refused(paid.result(), 6, balance=10)
        assert_refused(undone.result(), 7, balance=0)
        beside(world, other, "100")
        taken_later = player.call("pay-in", "late", betAmount=3)

        proxy.refuses = False
        sleeper.signal(signal.SIGCONT)
        until(lambda: "was taken over by another worker" in sleeper.output, lambda: sleeper.output)

    assert taken_later.code == 1
    states = world.rows("select bet_id, state from bet where bet_id = any(%s)", ["late", settled])
    assert dict(states) == {"late": "open", settled: "settled"}
    assert world.balance(player) == 7
    assert world.balance(other) == 100


def shut(proxy: Proxy) -> None:
    """End the connections through a proxy, and let none be made."""
    proxy.refuses = True
    proxy.change_delay(0)


def taken(world: World) -> int:
    """How many commands a worker has in hand. Two of them may be one job."""
    jobs = [world.redis.hgetall(key) for key in world.redis.scan_iter("rq:job:*")]
    return sum(len(job[b"accounts"].split()) for job in jobs if job.get(b"status") == b"started")
