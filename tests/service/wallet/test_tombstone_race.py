"""A refund races its own late pay-in, a thousand times, through two gateways."""

import asyncio
import random
import uuid
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import httpx

from tests.examples import TIMES
from tests.service.support.client import Answer, encode, read_answer
from tests.service.support.http import NO_TLS
from tests.service.support.patience import SOON
from tests.service.support.processes import GatewayProcess
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.wallet_checks import assert_accounts_are_whole, ids_of

RACES, PLAYERS, AT_ONCE = 500 * TIMES, 25, 16
FUNDS, STAKE = Decimal(1000), Decimal("10.5")


@dataclass(frozen=True)
class Race:
    """A bet and what its two calls were answered."""

    player: PlayerSession
    bet_id: str
    pay_in: Answer
    refund: Answer

    @property
    def ending(self) -> str:
        """Which of the two endings the answers tell of."""
        return {1: "refunded", 7: "cancelled"}[self.pay_in.code]


async def test_a_refund_racing_its_own_pay_in_ends_in_taken_and_refunded_or_never_taken(
    world: World,
) -> None:
    client = world.provider()
    players = [world.open_session(client, FUNDS) for _ in range(PLAYERS)]

    races = await run_races(world.gateways, players)

    assert {race.refund.code for race in races} == {1}
    endings = Counter(race.ending for race in races)
    assert endings.total() == RACES
    assert endings.keys() == {"refunded", "cancelled"}, "the calls never raced"
    recorded = transfers_of(world, races)
    for race in races:
        assert recorded[race.bet_id] == (race.ending, transfers_named(race))
    assert_accounts_are_whole(world, [player.account_id for player in players])
    assert [world.balance(player) for player in players] == [FUNDS] * PLAYERS
    for race in races[:20]:
        assert race.player.call("pay-in", race.bet_id, betAmount=STAKE).code == 7
        assert race.player.call("refund", race.bet_id).body == race.refund.body | {"balance": FUNDS}


async def run_races(gateways: list[GatewayProcess], players: list[PlayerSession]) -> list[Race]:
    """All races, some at a time; each call through a gateway of its own."""
    chance, lanes = random.Random(4), asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=SOON, verify=NO_TLS) as http:

        async def call(
            name: str, player: PlayerSession, gateway: GatewayProcess, body: bytes
        ) -> Answer:
            url = f"{gateway.url}/v1/sessions/{player.session_id}/bets/{name}"
            headers = player.client.headers(body)
            return read_answer(await http.post(url, content=body, headers=headers))

        async def race(number: int) -> Race:
            player, bet_id = players[number % PLAYERS], uuid.uuid4().hex
            one, other = chance.sample(gateways, 2)
            async with lanes:
                calls = [
                    call("pay-in", player, one, encode({"betId": bet_id, "betAmount": STAKE})),
                    call("refund", player, other, encode({"betId": bet_id})),
                ]
                refund_first = chance.random() < 0.5
                answers = await asyncio.gather(*(reversed(calls) if refund_first else calls))
            pay_in, refund = reversed(answers) if refund_first else answers
            return Race(player, bet_id, pay_in, refund)

        return await asyncio.gather(*map(race, range(RACES)))


def transfers_named(race: Race) -> dict[str, tuple[int, Decimal]]:
    """The transfers that the answers name, which are all that the ending has."""
    if race.ending == "cancelled":
        return {"refund": (ids_of(race.refund)["refund"], Decimal(0))}
    ids = ids_of(race.pay_in) | ids_of(race.refund)
    return {kind: (ids[kind], STAKE) for kind in ("stake", "refund")}


def transfers_of(
    world: World, races: list[Race]
) -> dict[str, tuple[str, dict[str, tuple[int, Decimal]]]]:
    """State and transfers of each recorded bet, by its `betId`."""
    found: dict[str, tuple[str, dict[str, tuple[int, Decimal]]]] = {}
    for bet_id, state, kind, id_, amount in world.rows(
        "select b.bet_id, b.state, t.kind, t.id, t.amount from bet b"
        " join transfer t on t.bet = b.id where b.bet_id = any(%s)",
        [race.bet_id for race in races],
    ):
        found.setdefault(bet_id, (state, {}))[1][kind] = (id_, amount)
    return found
