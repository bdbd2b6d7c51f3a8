"""What must hold after a fault: no money is lost or doubled, nothing is left in Redis."""

import zlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, cast

from redis import Redis

from tests.service.support.load import Bet, repeat
from tests.service.support.processes import until
from tests.service.support.world import World

# Collections of work under way; Redis has no empty ones, so that their keys exist says it all.
_UNDER_WAY = (
    "rq:queue:bets",
    "rq:queue:bets:intermediate",
    "rq:wip:bets",
    "betcore:waiting:",
    "betcore:parked",
    "betcore:leases",
    "rq:execution:",
)
# What may stay for ever, since it does not grow with bets, workers or gateways that come and go.
_FOR_EVER = {
    "betcore:memory",
    "betcore:in_flight",  # notes of bets whose end is not known, for a day
    "rq:queues",
    "rq:workers",
    "rq:workers:bets",
    "rq:finished:bets",
    "rq:failed:bets",
}
_ENDED = {b"finished", b"failed", None}  # None: its time was up while we looked


def settle(world: World, bets: Sequence[Bet], url: str) -> None:
    """After a fault: wait until it is quiet, repeat what is not known to be done, check it all."""
    assert_nothing_left(world)
    assert_not_recorded(world, [bet for bet in bets if set(bet.codes) == {99}])
    repeat([bet for bet in bets if not bet.done], url)
    assert_nothing_left(world)
    assert_applied_once(world, bets)
    assert_chains_are_whole(world)
    assert_nothing_failed_but_late(world)


def assert_nothing_left(world: World) -> None:
    """Wait until no work is in progress in Redis, and all that remains there expires by itself."""
    redis = world.redis
    until(lambda: not _under_way(redis), lambda: f"still under way: {_under_way(redis)}")
    until(lambda: not _shown_busy(world), lambda: f"shown as busy: {_shown_busy(world)}")
    until(lambda: not _endless(redis), lambda: f"kept for ever: {_endless(redis)}")
    jobs = [key for key in _keys(redis) if key.startswith("rq:job:")]
    states = dict(zip(jobs, _ask_all(redis, jobs, "HGET", "status"), strict=True))
    stranded = {job: state for job, state in states.items() if state not in _ENDED}
    assert not stranded, f"on no list: {stranded}"


def assert_not_recorded(world: World, bets: Sequence[Bet]) -> None:
    """Each of these bets got code 99, so none of them may ever be in the ledger."""
    found = _recorded(world, bets)
    assert not found, f"not admitted, as it was said, and yet there: {found}"


def assert_recorded(world: World, bets: Sequence[Bet]) -> None:
    """Each of these bets is in the ledger, whatever was answered."""
    assert _recorded(world, bets).keys() == {_key(bet) for bet in bets}


def assert_applied_once(world: World, bets: Sequence[Bet]) -> None:
    """Each bet has the two transfers it was answered with, and they moved what they should."""
    found = _recorded(world, bets)
    assert len(found) == len(bets)
    for bet in bets:
        assert found[_key(bet)] == [
            (bet.ids and int(bet.ids[0]), "stake", bet.stake),
            (bet.ids and int(bet.ids[1]), "win", bet.win),
        ]


def assert_chains_are_whole(world: World) -> None:
    """Each account's transfers are numbered without a gap, and add up to its balance at each."""
    chains: dict[int, list[tuple[Any, ...]]] = {}
    for account, *link in world.rows(
        "select account, account_seq, case when credit_account = account then amount else -amount"
        " end, balance_after from transfer order by account, account_seq"
    ):
        chains.setdefault(account, []).append(tuple(link))
    accounts = world.rows("select id, balance, last_seq from account where kind = 'player'")
    for account, balance, last_seq in accounts:
        expected, running = [], Decimal(0)
        for seq, (_, amount, _) in enumerate(chains.get(account, []), start=1):
            running += amount
            expected.append((seq, amount, running))
        assert chains.get(account, []) == expected
        assert (balance, last_seq) == (running, len(expected))


def assert_balances(world: World, bets: Iterable[Bet], deposited: int) -> None:
    """Each player has the deposit and what these bets, which are all of them, have changed."""
    expected: dict[int, Decimal] = {}
    for bet in bets:
        account = bet.player.account_id
        expected[account] = expected.get(account, Decimal(deposited)) + bet.change
    rows = world.rows("select id, balance from account where id = any(%s)", list(expected))
    assert dict(rows) == expected


def assert_nothing_failed_but_late(world: World) -> None:
    """An outage fails no job; those it makes late end as expired."""
    failed = cast("list[bytes]", world.redis.zrange("rq:failed:bets", 0, -1))
    jobs = [f"rq:job:{id_.decode()}" for id_ in failed]
    # A job that expired is kept for ten seconds only, one that failed otherwise for a day.
    kept = [text for text in _ask_all(world.redis, jobs, "HGET", "exc_info") if text is not None]
    texts = {zlib.decompress(text) for text in kept}
    assert all(text.startswith(b"DeadlineExpired") for text in texts), texts


def _under_way(redis: Redis) -> list[str]:
    fixed = {key for key in _UNDER_WAY if not key.endswith(":")}
    many = tuple(key for key in _UNDER_WAY if key.endswith(":"))
    found = [key for key in _keys(redis) if key in fixed or key.startswith(many)]
    fields: Any = redis.hkeys("betcore:in_flight")
    held = [field.decode() for field in fields if b":" not in field]
    return found + [f"player {account}" for account in held]


def _shown_busy(world: World) -> list[str]:
    """Living workers of which RQ still shows a job; of a dead one it may, for a while."""
    names = [worker.name for worker in world.workers if worker.alive]
    return [name for name in names if world.redis.exists(f"rq:worker:{name}:executions")]


def _endless(redis: Redis) -> set[str]:
    keys = _keys(redis)
    times = _ask_all(redis, keys, "TTL")
    return {key for key, time in zip(keys, times, strict=True) if time == -1} - _FOR_EVER


def _ask_all(redis: Redis, keys: Sequence[str], command: str, *arguments: str) -> list[Any]:
    with redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.execute_command(command, key, *arguments)  # type: ignore[no-untyped-call]
        return pipeline.execute()


def _keys(redis: Redis) -> list[str]:
    return [key.decode() for key in redis.scan_iter("*", count=10_000)]


def _key(bet: Bet) -> tuple[int, str]:
    return bet.player.account_id, bet.bet_id


def _recorded(world: World, bets: Sequence[Bet]) -> dict[tuple[int, str], list[tuple[Any, ...]]]:
    """Of each bet in the ledger, all transfers: id, kind and amount, in order."""
    found: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
    for account, bet_id, *transfer in world.rows(
        "select b.account_id, b.bet_id, t.id, t.kind, t.amount from bet b"
        " left join transfer t on t.bet = b.id where b.bet_id = any(%s) order by t.account_seq",
        [bet.bet_id for bet in bets],
    ):
        found.setdefault((account, bet_id), []).append(tuple(transfer))
    return found
