"""What a refused request may have left behind: nothing except its nonce."""

from broker.keys import OURS, nonce_key
from tests.service.support.world import PlayerSession, World


def assert_no_trace(world: World, player: PlayerSession, *nonces: str) -> None:
    """No bet of the player's provider, no transfer but its deposit, no job, nothing in flight.

    Of the provider's nonces exactly these are burnt.
    """
    [(provider, bets, transfers)] = world.rows(
        "select p.id, (select count(*) from bet where provider_id = p.id),"
        " (select count(*) from transfer where account = %s and kind <> 'deposit')"
        " from provider p where counterparty_id = %s",
        player.account_id,
        player.client.counterparty_id,
    )
    assert (bets, transfers) == (0, 0)
    assert burnt(world, provider) == {nonce_key(provider, nonce) for nonce in nonces}
    assert world.redis.keys(f"*:{player.account_id}-*") == []  # jobs, their results, executions
    assert not world.redis.hexists(f"{OURS}:in_flight", str(player.account_id))


def burnt(world: World, provider: int) -> set[str]:
    """The keys of a provider's nonces in Redis."""
    return {key.decode() for key in world.redis.keys(nonce_key(provider, "*"))}


def remember_long(world: World) -> None:
    """Let Redis have been up for longer than it was, so that old timestamps are admitted."""
    world.redis.hset(f"{OURS}:memory", "since", 0)
