"""The pages that the browser looks at."""

from urllib.parse import urlencode

from tests.service.support.world import PlayerSession, World


def pages_of(world: World, player: PlayerSession) -> dict[str, str]:
    """The address of a page of each kind, by name."""
    query = (
        "select external_id from player join account on account.player_id = player.id"
        " where account.id = %s"
    )
    ((name,),) = world.rows(query, player.account_id)
    provider = player.client.counterparty_id
    return {
        "now": "/",
        "bet": "/bet?" + urlencode({"provider": provider, "id": "round-7-bet-3"}),
        "player": "/player?" + urlencode({"id": name}),
        "statement": "/statement?" + urlencode({"id": name, "currency": "EUR"}),
        "session": "/session?" + urlencode({"id": player.session_id}),
        "sessions": "/sessions",
        "players": "/players",
        "providers": "/providers",
        "provider": "/provider?" + urlencode({"id": provider}),
        "queue": "/queue",
        "live": "/live",
        "house": "/house",
        "audit": "/audit",
        "ledger": "/ledger",
        "users": "/users",
        "search": "/search?q=nothing-has-this-id",
        "missing": "/nothing",
    }
