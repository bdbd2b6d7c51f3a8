"""The document of the wallet's API: its examples, and how to bring about what precedes each."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from api.reference.document import served
from models.audit.log import operation
from models.directory.provider_rules import LimitChange, set_limits
from server.http_reader import FIELDS_MAX, HEAD_BYTES_MAX
from settings import Settings
from tests.service.support import keys, raw
from tests.service.support.client import Answer, ProviderClient, encode
from tests.service.support.processes import GatewayProcess
from tests.service.support.refusals import block, close, expire, suspend
from tests.service.support.world import PlayerSession, World

DOCUMENT: dict[str, Any] = json.loads(served(Settings()), parse_float=Decimal)
_JSON = "application/json"
#: What these say comes from the code, and only a broken installation says it.
NOT_CAUSED = {"above_rate", "overloaded", "failed", "unknown_outcome"}
BODY = {"gameRoundId": "round", "betAmount": Decimal("10.5")}


class Shown(NamedTuple):
    """An example of the document: the request, and the answer to it."""

    call: str
    name: str
    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any] | None
    status: int
    answer: dict[str, Any]


def _shown() -> list[Shown]:
    found = []
    for path, operations in DOCUMENT["paths"].items():
        [(method, described)] = operations.items()
        bodies = _values(described.get("requestBody", {}).get("content", {}).get(_JSON, {}))
        queries = [(one["name"], _values(one)) for one in described["parameters"] if "name" in one]
        for status, response in described["responses"].items():
            for name, answer in _values(response["content"][_JSON]).items():
                query = {field: asked[name] for field, asked in queries if name in asked}
                body = bodies.get(name, bodies.get("done"))
                call = described["operationId"]
                found.append(Shown(call, name, method, path, query, body, int(status), answer))
    return found


def _values(holder: dict[str, Any]) -> dict[str, Any]:
    return {name: one["value"] for name, one in holder.get("examples", {}).items()}


EXAMPLES = _shown()


def send(client: ProviderClient, shown: Shown, session_id: str, **changed: str) -> Answer:
    """The answer to an example's request, in this session. `changed` are headers, as signed."""
    path = shown.path.replace("{sessionId}", quote(session_id, safe=""))
    if shown.query:
        path += f"?{urlencode(shown.query)}"
    path += {"path_unknown": "/", "path_too_long": "x" * HEAD_BYTES_MAX}.get(shown.name, "")
    body = b"" if shown.body is None else encode(shown.body)
    if shown.name == "too_large":
        body = b" " * (Settings().body_bytes_max + 1)
    headers = list(client.headers(body, **changed).items())
    if shown.name == "too_many_fields":
        headers += [("A", "b")] * FIELDS_MAX
    sent = raw.request(path, body, headers, shown.method.upper(), length=bool(body))
    if shown.name == "not_http":
        sent = sent.replace(b"Host: gateway\r\n", b"")
    answers = [raw.ask(client.url, sent) for _ in range(2 if shown.name == "sent_again" else 1)]
    return answers[-1]


Before = Callable[[World, PlayerSession, Shown], None]


def _bet(call: str, **more: Any) -> Before:
    def sent(world: World, player: PlayerSession, shown: Shown) -> None:  # noqa: ARG001
        usual = next(one for one in EXAMPLES if (one.call, one.name) == (call, "done"))
        assert usual.body is not None
        body = encode(usual.body | more)
        assert player.client.post(_path(player, call), body).code == 1

    return sent


def _path(player: PlayerSession, call: str) -> str:
    return f"/v1/sessions/{player.session_id}/bets/{call}"


def _all(*steps: Before) -> Before:
    def taken(world: World, player: PlayerSession, shown: Shown) -> None:
        for step in steps:
            step(world, player, shown)

    return taken


def _change(change: Callable[[World, PlayerSession], None]) -> Before:
    return lambda world, player, _: change(world, player)


def _refused(world: World, player: PlayerSession, shown: Shown) -> None:  # noqa: ARG001
    block(world, player)
    assert player.client.post(_path(player, "pay-in"), _usual("pay-in")).code == 5


def _usual(call: str) -> bytes:
    usual = next(one for one in EXAMPLES if (one.call, one.name) == (call, "done"))
    assert usual.body is not None
    return encode(usual.body)


def _spent(world: World, player: PlayerSession, shown: Shown) -> None:  # noqa: ARG001
    left = player.balance().body["balance"]
    assert player.pay_in_out(left).code == 1


def _wins(**limits: Decimal) -> Before:
    def limited(world: World, player: PlayerSession, shown: Shown) -> None:  # noqa: ARG001
        change: dict[str, Any] = {name: {"EUR": amount} for name, amount in limits.items()}
        with operation(world.operator_url, keys.AUTHOR) as database:
            set_limits(database, player.client.counterparty_id, LimitChange(**change))

    return limited


def _same(world: World, player: PlayerSession, shown: Shown) -> None:
    _bet(shown.call)(world, player, shown)


_PAY_IN = _bet("pay-in")
_FINISHED = _bet("pay-in-out", betId="before", roundFinished=True, winAmount="10.5")
_LIMITS = {
    "win_above_limit": _wins(max_win=Decimal(50)),
    "win_above_daily_limit": _wins(max_daily_win=Decimal(50)),
}
_OF_ALL: dict[str, Before] = {
    "repeat": _same,
    "bet_conflict": _same,
    "session_closed": _change(close),
    "session_expired": _change(expire),
    "player_blocked": _change(block),
    "provider_suspended": _change(suspend),
    "round_finished": _FINISHED,
    "open": _PAY_IN,
    "by_transaction": _PAY_IN,
    "by_round": _PAY_IN,
    "settled": _all(_PAY_IN, _bet("pay-out")),
    "rejected": _refused,
    **_LIMITS,
}
#: By call and name: what has to be taken first, where it is not what `_OF_ALL` says.
_OF_ONE: dict[tuple[str, str], Before] = {
    **{("pay-out", name): _PAY_IN for name in ("done", "finishes_round")},
    **{("pay-out", name): _all(_PAY_IN, before) for name, before in _LIMITS.items()},
    **{("pay-out", name): _all(_PAY_IN, _same) for name in ("repeat", "bet_conflict")},
    ("refund", "done"): _PAY_IN,
    ("refund", "repeat"): _all(_PAY_IN, _same),
    ("refund", "bet_conflict"): _all(_bet("pay-in-out"), _spent),
}


def prepare(world: World, gateway: GatewayProcess, shown: Shown) -> tuple[PlayerSession, str]:
    """A player of a new provider for whom an example is true, and the session of the request.

    The provider calls this gateway.
    """
    limits: dict[str, dict[str, Any]] = {
        "below_limit": {"min_bet": "1"},
        "above_limit": {"max_bet": "500"},
    }
    player = world.open_session(world.provider(gateway), **limits.get(shown.name, {}))
    before = _OF_ONE.get((shown.call, shown.name), _OF_ALL.get(shown.name))
    if before is not None:
        before(world, player, shown)
    return player, "no such session" if shown.name == "session_unknown" else player.session_id
