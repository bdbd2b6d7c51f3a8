"""Plays so many rounds at a rate, and compares the books at the end."""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from betcore_kit.answers import Code
from betcore_kit.client.clients import AsyncClient
from betcore_kit.client.schedule import Schedule
from betcore_kit.conformance.case import Lacking
from betcore_kit.conformance.site import Site, Wanted
from betcore_kit.errors import KitError
from betcore_kit.signing import Identity
from betcore_kit.simulate.books import Books, difference
from betcore_kit.simulate.losing import LosingTransport
from betcore_kit.simulate.rounds import KINDS, Hall, Round

_AT_ONCE = 32  # rounds, and questions at the end
_BALANCE = "10000"
_SCHEDULE = Schedule(questions=(0.1, 0.2, 0.5, 1.0, 2.0, 4.0))


@dataclass(frozen=True)
class Plan:
    """How many rounds, for how many players, how many per second, and which share of answers is
    lost. The same seed plays the same rounds.
    """

    players: int = 20
    rounds: int = 1_000
    rate: float = 50.0
    seed: int = 1
    lost: float = 0.02


@dataclass(frozen=True)
class Report:
    """What was played, and every difference between the books."""

    counts: Counter[str]
    bets: int
    players: int
    seconds: float
    differences: Sequence[str] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the books are equal to the cent."""
        return not self.differences


async def simulate(
    url: str, site: Site, plan: Plan, on_progress: Callable[[int], object] = lambda _: None
) -> Report:
    """Play against the wallet at a URL. Raises KitError if the site has no session to play in."""
    began = time.monotonic()
    identity = await site.identity()
    rng = random.Random(plan.seed)  # noqa: S311 - it plays games
    network = LosingTransport(httpx.AsyncHTTPTransport(), plan.lost, rng)
    wrong = Identity(identity.counterparty_id, "this is not the secret")
    async with (
        AsyncClient(url, identity, _SCHEDULE, transport=network) as client,
        AsyncClient(url, identity, _SCHEDULE) as honest,
        AsyncClient(url, wrong, _SCHEDULE) as stranger,
    ):
        books = Books()
        seats = await _seats(site, plan.players)
        for seat in seats:
            books.balances[seat] = (await honest.balance(seat)).balance or books.balances[seat]
        hall = Hall(client, stranger, _another(site), books)
        await _play(hall, seats, plan, on_progress)
        differences = await _compare(honest, books)
    hall.counts["answers lost"] = network.lost
    found = [*hall.faults, *(f"{one}: its outcome is unknown" for one in books.doubts)]
    seconds = time.monotonic() - began
    return Report(hall.counts, len(books.bets), len(seats), seconds, [*found, *differences])


async def _seats(site: Site, players: int) -> list[str]:
    wanted = players if site.seats is None else min(players, site.seats)
    if not wanted:
        raise KitError("There is no session to play in.")
    return [(await site.session(Wanted(balance=_BALANCE))).id for _ in range(wanted)]


def _another(site: Site) -> Callable[[str], Awaitable[str | None]]:
    async def open_one(seat: str) -> str | None:
        try:
            return (await site.session(Wanted(same_player_as=seat, balance="0"))).id
        except Lacking:
            return None

    return open_one


async def _play(
    hall: Hall, seats: Sequence[str], plan: Plan, on_progress: Callable[[int], object]
) -> None:
    kinds, weights = list(KINDS), list(KINDS.values())
    run, began, done = secrets.token_hex(4), time.monotonic(), 0
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        nonlocal done
        rng = random.Random(f"{plan.seed}/{number}")  # noqa: S311 - it plays games
        play = rng.choices(kinds, weights)[0]
        try:
            name = f"{run}-{number}"
            await play(Round(hall, seats[number % len(seats)], name, rng))
        finally:
            at_once.release()
        hall.counts[f"rounds of {play.__name__.replace('_', ' ')}"] += 1
        done += 1
        on_progress(done)

    async with asyncio.TaskGroup() as tasks:
        for number in range(plan.rounds):
            await asyncio.sleep(max(0.0, began + number / plan.rate - time.monotonic()))
            await at_once.acquire()
            tasks.create_task(one(number))


async def _compare(client: AsyncClient, books: Books) -> list[str]:
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def of_bet(bet_id: str) -> str | None:
        async with at_once:
            return difference(bet_id, books.bets[bet_id], await client.state(bet_id))

    async def of_player(seat: str) -> str | None:
        found = await client.balance(seat)
        if found.code is Code.DONE and found.balance == books.balances[seat]:
            return None
        return f"session {seat}: a balance of {found.balance} there, {books.balances[seat]} here"

    asked = [*map(of_bet, books.bets), *map(of_player, books.balances)]
    return [line for line in await asyncio.gather(*asked) if line is not None]
