"""Reasons to refuse a bet: how to cause and remove each, and the form of the refusal."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from models.audit.log import operation
from models.directory.accounts import PlayerStatus, set_player_status
from models.directory.providers import ProviderStatus, set_provider_status
from tests.service.support import keys
from tests.service.support.client import Answer
from tests.service.support.world import PlayerSession, World

_NAMES = {
    3: "session_closed",
    4: "insufficient_funds",
    5: "not_allowed",
    6: "bet_not_found",
    7: "bet_conflict",
}
#: The causes of codes that have several.
REASONS = {
    3: {"session_unknown", "session_closed", "session_expired"},
    5: {
        *("player_blocked", "provider_suspended", "below_limit", "above_limit"),
        *("win_above_limit", "win_above_daily_limit"),
    },
}


def close(world: World, player: PlayerSession) -> None:
    """Close the player's session."""
    world.close_session(player)


def expire(world: World, player: PlayerSession) -> None:
    """Let the player's session expire."""
    world.expire_session(player.session_id)


def block(world: World, player: PlayerSession) -> None:
    """Block the player."""
    _set_player(world, player, "blocked")


def unblock(world: World, player: PlayerSession) -> None:
    """Let the player play again."""
    _set_player(world, player, "active")


def suspend(world: World, player: PlayerSession) -> None:
    """Suspend the player's provider."""
    _set_provider(world, player, "suspended")


def resume(world: World, player: PlayerSession) -> None:
    """Resume the player's provider."""
    _set_provider(world, player, "active")


def beside(
    world: World, player: PlayerSession, balance: str = "0", **session: Any
) -> PlayerSession:
    """The same player in a new session of the same provider, with that much deposited more."""
    name = name_of(world, player)
    return world.open_session(player.client, balance, player=name, **session)


def name_of(world: World, player: PlayerSession) -> str:
    """The player's id in the operator's own system."""
    [(name,)] = world.rows(
        "select external_id from player join account a on player.id = player_id where a.id = %s",
        player.account_id,
    )
    return str(name)


def bets_of(world: World, player: PlayerSession) -> list[tuple[Any, ...]]:
    """State, code, stake and number of transfers of each bet of the player's provider, in order."""
    return world.rows(
        "select state, refused_with, stake, (select count(*) from transfer t where t.bet = b.id)"
        " from bet b join provider p on p.id = b.provider_id where p.counterparty_id = %s"
        " order by b.created_at",
        player.client.counterparty_id,
    )


@contextmanager
def planted(
    world: World,
    player: PlayerSession,
    opened_by: str,
    state: str,
    amounts: tuple[int | None, int | None],
) -> Iterator[str]:
    """A bet of the player that is in this state; its `betId`. Gone again afterwards."""
    [(row, bet_id)] = world.rows(
        "insert into bet (id, provider_id, bet_id, account_id, session_id, opened_by, state, stake,"
        " win, refused_with) values (nextval('ledger_ids'), %s, gen_random_uuid(), %s, %s, %s, %s,"
        " %s, %s, %s) returning id, bet_id",
        world.provider_row(player.client),
        player.account_id,
        player.session_id,
        opened_by,
        state,
        *amounts,
        5 if state == "rejected" else None,
    )
    try:
        yield bet_id
    finally:
        world.execute("delete from bet where id = %s", row)


def assert_refused(answer: Answer, code: int, balance: Any, reason: str | None = "any") -> None:
    """That an answer is this refusal, with all fields; balance None: the player is not known.

    `reason` may be any that its code can have; None: there is none, as of a bet of long ago.
    """
    fields = {"_responseCode", "error", "message", "requestId"}
    assert (answer.status, answer.code) == (402, code), answer.body
    if code in REASONS and reason is not None:
        fields |= {"reason"}
        assert answer.body.get("reason") in (REASONS[code] if reason == "any" else {reason})
    assert answer.body["error"] == _NAMES[code]
    assert len(answer.body["message"].split()) > 3
    assert len(answer.body["requestId"]) == 32
    if balance is None:
        assert set(answer.body) == fields
    else:
        assert set(answer.body) == fields | {"balance"}
        assert answer.body["balance"] == Decimal(balance)


def _set_player(world: World, player: PlayerSession, status: PlayerStatus) -> None:
    of_account = (
        "select external_id from player where id = (select player_id from account where id = %s)"
    )
    ((name,),) = world.rows(of_account, player.account_id)
    with operation(world.operator_url, keys.AUTHOR) as database:
        set_player_status(database, name, status)


def _set_provider(world: World, player: PlayerSession, status: ProviderStatus) -> None:
    with operation(world.operator_url, keys.AUTHOR) as database:
        set_provider_status(database, player.client.counterparty_id, status)
