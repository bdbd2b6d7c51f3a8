"""Many requests at once: copies of a bet, a hot player, conflicts. Each is done once, in order."""

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.service.support.audit import (
    assert_applied_once,
    assert_balances,
    assert_chains_are_whole,
    assert_nothing_left,
)
from tests.service.support.faults import locked
from tests.service.support.http import http_client
from tests.service.support.load import LONG_TIMEOUTS, Bet, random_bet
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import PlayerSession, World, new_world

_INSUFFICIENT_FUNDS, _CONFLICT = 4, 7


@pytest.fixture(scope="module")
def busy_world() -> Iterator[World]:
    """Two gateways in no hurry, and three workers."""
    with new_world() as world:
        world.start(gateways=2, workers=3, **LONG_TIMEOUTS)
        yield world
        # Lanes go on by themselves: the sweeper is for accidents, and there were none.
        assert not [worker for worker in world.workers if "stood still" in worker.output]


def test_fifty_copies_of_one_bet_settle_once_and_all_get_its_ids(busy_world: World) -> None:
    player = busy_world.open_session(busy_world.provider(), "100")
    copies = [Bet(player, Decimal("2.5"), Decimal(1), bet_id="one") for _ in range(50)]

    assert at_once(busy_world, copies) == [1] * len(copies)
    assert len({copy.ids for copy in copies}) == 1
    assert_nothing_left(busy_world)
    assert_applied_once(busy_world, copies[:1])
    assert_balances(busy_world, copies[:1], 100)
    assert_chains_are_whole(busy_world)


def test_bets_of_one_player_are_applied_in_the_order_of_admission_and_hold_nobody_else_up(
    busy_world: World,
) -> None:
    client = busy_world.provider()
    player = busy_world.open_session(client, "100")
    hot = [Bet(player, Decimal(1), Decimal(0)) for _ in range(200)]
    others = [Bet(busy_world.open_session(client, "1"), Decimal(1), Decimal(0)) for _ in range(20)]

    with ThreadPoolExecutor(1) as sender:
        with locked(busy_world, player.account_id):
            asked = sender.submit(at_once, busy_world, hot, _INSUFFICIENT_FUNDS)
            until(lambda: len(under_way(busy_world, player)) == len(hot))
            admitted = under_way(busy_world, player)
            assert at_once(busy_world, others) == [1] * len(others)
            assert under_way(busy_world, player) == admitted
        codes = {bet.bet_id: code for bet, code in zip(hot, asked.result(), strict=True)}

    covered = 100  # of the player's money
    assert [codes[bet_id] for bet_id in admitted[:covered]] == [1] * covered
    assert {codes[bet_id] for bet_id in admitted[covered:]} == {_INSUFFICIENT_FUNDS}
    assert [
        bet_id
        for (bet_id,) in busy_world.rows(
            "select b.bet_id from transfer t join bet b on b.id = t.bet where t.kind = 'stake'"
            " and t.account = %s order by t.account_seq",
            player.account_id,
        )
    ] == admitted[:covered]
    assert busy_world.balance(player) == 0
    assert_nothing_left(busy_world)
    assert_chains_are_whole(busy_world)


def test_mixed_players_repeats_and_conflicts_keep_every_chain_of_balances_whole(
    busy_world: World,
) -> None:
    client = busy_world.provider()
    players = [busy_world.open_session(client, "10000") for _ in range(8)]
    done: list[Bet] = []

    def play(number: int) -> None:
        chance = random.Random(number)
        with http_client() as http:
            for _ in range(60):
                url = chance.choice(busy_world.gateways).url
                known = chance.choice(done) if done and chance.random() < 0.5 else None
                if known is None:
                    bet = random_bet(chance, chance.choice(players))
                    assert bet.ask(http, url) == 1
                    done.append(bet)
                elif chance.random() < 0.5:
                    assert known.ask(http, url) == 1
                else:
                    another = another_of_that_name(chance, known, players)
                    assert another.ask(http, url, _CONFLICT) == _CONFLICT

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(play, range(12)))

    assert_nothing_left(busy_world)
    assert_applied_once(busy_world, done)
    assert_balances(busy_world, done, 10_000)
    assert_chains_are_whole(busy_world)


def another_of_that_name(
    chance: random.Random, known: Bet, players: Sequence[PlayerSession]
) -> Bet:
    """A bet with the `betId` of a known one that is not the same: other amounts, or player."""
    if chance.random() < 0.5:
        changed = chance.choice((Decimal("0.01"), Decimal(1)))
        return Bet(known.player, known.stake + changed, known.win, bet_id=known.bet_id)
    player = chance.choice([player for player in players if player is not known.player])
    return Bet(player, known.stake, known.win, bet_id=known.bet_id)


def at_once(world: World, bets: Sequence[Bet], *also: int) -> list[int | None]:
    """Send all these bets at the same time, to each gateway in turn; the codes of the answers."""
    together = Barrier(len(bets))
    unlimited = httpx.Limits(max_connections=None)

    def send(bet: Bet, url: str) -> int | None:
        together.wait()
        return bet.ask(http, url, *also)

    with (
        http_client(limits=unlimited) as http,
        ThreadPoolExecutor(len(bets)) as all_,
    ):
        urls = itertools.cycle([gateway.url for gateway in world.gateways])
        return list(all_.map(send, bets, urls))


def under_way(world: World, player: PlayerSession) -> list[str]:
    """The `betId`s of a player's bets that have not ended, in the order of admission."""
    with QueueWorld(world.urls.redis, flush=False) as queue:
        holder = queue.holder(player.account_id)
        data: Any = world.redis.hget(f"rq:job:{holder}", "data")
        waiting: Any = world.redis.lrange(f"betcore:waiting:{player.account_id}", 0, -1)
    forms = json.loads(data)[2] if data else []
    forms += [json.loads(text.split(b"\n")[-1]) for text in waiting]
    return [values["bet"] for _, values, *_ in forms if values["account"] == player.account_id]
