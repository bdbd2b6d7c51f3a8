"""An installation whose first gateway gives up soon and whose only worker can be halted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.service.support.faults import frozen
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import PlayerSession, World, new_world

_SHORT_TIMEOUTS = {
    "BETCORE_APPLY_WITHIN_SECONDS": "0.5",
    "BETCORE_ANSWER_WITHIN_SECONDS": "2",
    "BETCORE_ASK_PRIMARY_WITHIN_SECONDS": "1",
}


@contextmanager
def short_timeout_installation() -> Iterator[World]:
    """A gateway in a hurry, one that has the usual time, a worker."""
    with new_world() as world:
        world.gateway(**_SHORT_TIMEOUTS)
        world.gateway()
        world.worker()
        world.wait_for_memory()
        yield world


def patient(world: World, player: PlayerSession) -> PlayerSession:
    """The same player at the gateway that has the usual time, for calls that have to succeed."""
    return replace(player, client=replace(player.client, url=world.gateways[1].url))


@contextmanager
def no_worker(world: World) -> Iterator[None]:
    """The worker is frozen within the block, and runs again afterwards."""
    with frozen(world.workers[-1].pid):
        yield


def under_way(world: World, player: PlayerSession) -> list[str]:
    """The ids of the player's commands that are admitted and not finished, in their order."""
    with QueueWorld(world.urls.redis, flush=False) as queue:
        return queue.under_way_of(player.account_id)


def wait_for_commands(world: World, player: PlayerSession, number: int) -> None:
    """Wait until so many commands of the player are admitted and not finished."""
    until(lambda: len(under_way(world, player)) == number, lambda: f"{under_way(world, player)}")


def wait_for_state(player: PlayerSession, bet_id: str, *states: str) -> None:
    """Wait until a bet is in the last of these states, having been in the others in this order."""
    seen: list[str] = []

    def arrived() -> bool:
        state: str = player.client.status(bet_id).body["state"]
        if state not in seen:
            seen.append(state)
        return state == states[-1]

    until(arrived, lambda: f"{seen}")
    assert tuple(seen) == states
