"""Redis loses all its data: no answer misleads anybody, and everything comes back."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from rq import Queue, Worker

from tests.service.support.audit import assert_balances, assert_nothing_left, settle
from tests.service.support.bet_rows import CALLS, ROWS, bet_in, follow
from tests.service.support.client import Answer, ProviderClient
from tests.service.support.faults import (
    DEPOSIT,
    FaultWorld,
    fault_world,
    locked,
    twelve_players,
)
from tests.service.support.load import Bet, ask
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import PlayerSession

# Within the tolerance of 30 s, and long enough for Redis to be lost and back before it has passed.
AHEAD_SECONDS = 29
LEDGER = (
    "select account::text from account order by id",
    "select bet::text from bet order by id",
    "select transfer::text from transfer order by id",
)


@pytest.fixture(scope="module")
def fragile() -> Iterator[FaultWorld]:
    """Two gateways and two workers that outlive their Redis."""
    with fault_world() as world:
        yield world


@dataclass
class AheadClient(ProviderClient):
    """A provider whose clock is ahead, and an eavesdropper who keeps all that it sends."""

    captured: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """Send a body, signed ahead of time."""
        assert headers is None
        stamp = str(int((time.time() + AHEAD_SECONDS) * 1000))
        headers = self.headers(body, timestamp=stamp)
        self.captured.append((path, body, headers))
        return super().post(path, body, headers)


def test_without_redis_every_call_is_refused_and_with_an_empty_one_all_register_again(
    fragile: FaultWorld,
) -> None:
    player = fragile.open_session(fragile.provider())
    fragile.stop_redis()
    until(
        lambda: all(is_refused(at(player, gateway.url).balance()) for gateway in fragile.gateways)
    )
    for gateway in fragile.gateways:
        there = at(player, gateway.url)
        for call in CALLS:
            assert is_refused(follow("not recorded", call, there, "one"))
        assert is_refused(there.balance())
        assert is_refused(there.client.status("one"))
    assert fragile.rows("select from bet where account_id = %s", player.account_id) == []

    fragile.start_redis(emptied=True)
    until(lambda: registered(fragile) == {worker.name for worker in fragile.workers})
    for gateway in fragile.gateways:
        until(lambda url=gateway.url: at(player, url).pay_in_out(1).code == 1)  # type: ignore[misc]
    assert [queue.name for queue in Queue.all(fragile.redis)] == ["bets"]


def test_bets_in_flight_when_redis_is_lost_are_resolved_by_asking(fragile: FaultWorld) -> None:
    player, url = twelve_players(fragile)[0], fragile.gateways[0].url
    taken, waiting = bets = [Bet(player, Decimal(3), Decimal(1)) for _ in range(2)]
    with (
        ThreadPoolExecutor(2) as senders,
        locked(fragile, player.account_id),
        QueueWorld(fragile.urls.redis, flush=False) as queue,
    ):
        answers = [senders.submit(ask, taken, url)]
        until(lambda: queue.started() == {queue.holder(player.account_id)})
        answers.append(senders.submit(ask, waiting, url))
        until(lambda: len(queue.waiting(player.account_id)) == 1)
        fragile.stop_redis()
        fragile.start_redis(emptied=True)
        until(lambda: player.client.status(taken.bet_id).code == 1)
        assert [state(player, bet) for bet in bets] == ["in_flight", "in_flight"]
    assert answers[0].result() in (0, 1)
    assert answers[1].result() == 0

    until(lambda: "in_flight" not in [state(player, bet) for bet in bets])
    states = [state(player, bet) for bet in bets]

    recorded = "select from bet where bet_id = %s"
    assert states[0] == ("settled" if fragile.rows(recorded, taken.bet_id) else "unknown")
    assert states[1] == "unknown"
    settle(fragile, bets, url)
    assert_balances(fragile, bets, DEPOSIT)


def test_what_was_stamped_ahead_and_captured_moves_nothing_of_a_bet_in_any_state(
    fragile: FaultWorld,
) -> None:
    """Its nonce is forgotten and its time has not passed: only the state of the bet is left."""
    plain = fragile.open_session(fragile.provider())
    client = AheadClient(plain.client.url, plain.client.counterparty_id, plain.client.secret)
    fragile.processes.callback(client.http.close)
    player = replace(plain, client=client)
    for row in ROWS:
        for call in CALLS:
            follow(row, call, player, bet_in(row, player))
    assert_nothing_left(fragile)
    before = ledger(fragile)

    fragile.stop_redis()
    fragile.start_redis(emptied=True)
    until(lambda: plain.balance().code == 1)
    codes = {plain.client.post(*request).code for request in client.captured}

    assert codes <= {1, 4, 6, 7}
    assert ledger(fragile) == before


def at(player: PlayerSession, url: str) -> PlayerSession:
    """The same player at another gateway."""
    return replace(player, client=replace(player.client, url=url))


def is_refused(answer: Answer) -> bool:
    """Whether the bet was certainly not admitted, and the answer says when to repeat it."""
    return (answer.status, answer.code, "retry-after" in answer.headers) == (503, 99, True)


def registered(world: FaultWorld) -> set[str]:
    """The workers that `rq info` and the dashboard show."""
    return {worker.name for worker in Worker.all(world.redis) if worker.birth_date}


def state(player: PlayerSession, bet: Bet) -> str:
    """The answered state of the bet."""
    return str(player.client.status(bet.bet_id).body["state"])


def ledger(world: FaultWorld) -> list[list[tuple[Any, ...]]]:
    """Every row that says something about money."""
    return [world.rows(query) for query in LEDGER]
