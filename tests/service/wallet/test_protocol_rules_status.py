"""PROTOCOL.md, `GET /v1/bets`: what has become of a bet, in every field."""

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.service.support.bet_rows import ROWS, STAKE, TOO_MUCH, WIN, bet_in
from tests.service.support.refusals import assert_refused
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.wallet_checks import ids_of

FIELDS = [
    *("betId", "state", "betAmount", "winAmount", "currency"),
    *("betTransactionId", "winTransactionId", "refundTransactionId"),
    *("refusedWith", "reason", "createdAt", "updatedAt", "gameRoundId", "gameId", "_responseCode"),
]
RFC_3339_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

#: State, stake, win and code of the refusal of a bet in each row of the table; and its transfers.
EXPECTED: dict[str, tuple[str, Any, Any, Any, set[str]]] = {
    "open": ("open", STAKE, None, None, {"stake"}),
    "settled by pay-in + pay-out": ("settled", STAKE, WIN, None, {"stake", "win"}),
    "settled by pay-in-out": ("settled", STAKE, WIN, None, {"stake", "win"}),
    "rejected by pay-in": ("rejected", TOO_MUCH, None, 4, set()),
    "rejected by pay-in-out": ("rejected", TOO_MUCH, WIN, 4, set()),
    "refunded": ("refunded", STAKE, None, None, {"stake", "refund"}),
    "refunded after a win": ("refunded", STAKE, WIN, None, {"stake", "win", "refund"}),
    "cancelled": ("cancelled", None, None, None, {"refund"}),
}


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


@pytest.mark.parametrize("row", ROWS)
def test_the_status_of_a_bet_has_all_fields_and_null_where_they_do_not_apply(
    world: World, player: PlayerSession, row: str
) -> None:
    bet_id = bet_in(row, player)

    answer = player.client.status(bet_id)

    assert (answer.status, answer.code) == (200, 1)
    assert list(answer.body) == FIELDS
    assert answer.body["betId"] == bet_id
    if row == "not recorded":
        assert answer.body["state"] == "unknown"
        assert {answer.body[field] for field in FIELDS[2:-1]} == {None}
        return
    state, stake, win, code, kinds = EXPECTED[row]
    fields = ("state", "betAmount", "winAmount", "refusedWith", "reason", "currency")
    assert [answer.body[field] for field in fields] == [state, stake, win, code, None, "EUR"]
    moved = world.rows(
        "select t.kind, t.id::text from transfer t join bet b on b.id = t.bet where b.bet_id = %s",
        bet_id,
    )
    shown = {
        "stake": "betTransactionId",
        "win": "winTransactionId",
        "refund": "refundTransactionId",
    }
    ids = {kind: answer.body[name] for kind, name in shown.items()}
    assert {kind: id_ for kind, id_ in ids.items() if id_ is not None} == {
        kind: id_ for kind, id_ in moved if kind in shown
    }
    assert {kind for kind, id_ in ids.items() if id_ is not None} == kinds


def test_a_refund_of_a_rejected_bet_leaves_it_rejected_and_shows_its_mark(
    player: PlayerSession,
) -> None:
    bet_id = bet_in("rejected by pay-in", player)

    mark = player.call("refund", bet_id)

    status = player.client.status(bet_id).body
    assert (status["state"], status["refusedWith"]) == ("rejected", 4)
    assert status["refundTransactionId"] == str(ids_of(mark)["refund"])


def test_times_are_rfc_3339_in_utc_and_the_second_one_is_of_the_last_change(
    player: PlayerSession,
) -> None:
    began = datetime.now(UTC)
    player.call("pay-in", "a", betAmount=1)

    opened = player.client.status("a").body
    player.call("pay-in", "a", betAmount=1)
    repeated = player.client.status("a").body
    player.call("pay-out", "a", winAmount=1)
    settled = player.client.status("a").body

    assert opened["updatedAt"] == opened["createdAt"] == settled["createdAt"]
    assert repeated == opened
    times = [datetime.fromisoformat(settled[name]) for name in ("createdAt", "updatedAt")]
    assert began <= times[0] < times[1] <= datetime.now(UTC)
    for name in ("createdAt", "updatedAt"):
        assert RFC_3339_IN_UTC.fullmatch(settled[name])


@pytest.mark.parametrize(
    "bet_id",
    [
        "a b+c&d=e%20/?#;:@",
        '"\\<>{}|^`',
        "Wette №7 · čas 賭け 🎰",
        "ü" * 128,
        "🎰" * 128,
        "betId=x",
        "..",
        " ",
        "%",
        "0",
    ],
)
def test_a_bet_is_found_by_any_id_it_may_have_percent_encoded(
    player: PlayerSession, bet_id: str
) -> None:
    taken = player.call("pay-in", bet_id, betAmount="0.5")

    status = player.client.status(bet_id)

    assert taken.code == 1
    assert (status.body["betId"], status.body["state"]) == (bet_id, "open")
    assert status.body["betTransactionId"] == taken.body["betTransactionId"]


def test_a_bet_id_that_was_an_integer_is_found_by_its_text(player: PlayerSession) -> None:
    player.client.post(
        f"/v1/sessions/{player.session_id}/bets/pay-in", b'{"betId":4178696881,"betAmount":1}'
    )

    assert player.client.status("4178696881").body["state"] == "open"
    assert player.call("pay-in", "4178696881", betAmount=1).code == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?betid=a",
        "?betId",
        "?betId=",
        "?betId=a&betId=b",
        "?betId=a&betId=a",
        "?betId=" + "a" * 129,
        "?betId=" + "%F0%9F%8E%B0" * 129,
        "?betId=a%00b",
        "?betId=a%0Ab",
        "?betId=%C2%85",
        "?betId=%FF",
        "?betId=%ED%A0%80",
        "?betId=%C3",
        "?betId=a" + "&b=c" * 16,
    ],
)
def test_a_bet_id_that_is_missing_there_twice_or_none_that_a_bet_can_have_is_2(
    player: PlayerSession, query: str
) -> None:
    answer = player.client.get(f"/v1/bets{query}")

    assert (answer.status, answer.code) == (402, 2)
    assert answer.body["error"] == "invalid_request"


def test_other_parameters_of_the_query_are_ignored(player: PlayerSession) -> None:
    player.call("pay-in", "a", betAmount=1)

    for query in ("?x=1&betId=a", "?betId=a&betId2=b&betId2=c", "?betId=a&", "?BETID=b&betId=a&x"):
        answer = player.client.get(f"/v1/bets{query}")
        assert (answer.code, answer.body.get("state")) == (1, "open"), query


def test_a_bet_is_shown_to_its_own_provider_only(world: World, player: PlayerSession) -> None:
    bet_id = bet_in("open", player)
    other = world.open_session(world.provider())

    assert other.client.status(bet_id).body["state"] == "unknown"
    assert player.client.status(bet_id).body["state"] == "open"


def test_a_bet_that_was_closed_by_nothing_stays_possible_after_unknown(
    player: PlayerSession,
) -> None:
    bet_id = uuid.uuid4().hex

    unknown = player.client.status(bet_id).body["state"]
    taken = player.call("pay-in", bet_id, betAmount=1)

    assert (unknown, taken.code) == ("unknown", 1)


def test_every_amount_in_a_status_is_an_exact_number_in_the_currency_of_the_account(
    world: World,
) -> None:
    world.currency("TOKEN", 8)
    player = world.open_session(world.provider(), "5", currency="TOKEN")
    player.call("pay-in-out", "a", betAmount="1e-8", winAmount="1.50000000")

    url = f"{player.client.url}/v1/bets?betId=a"
    text = player.client.http.get(url, headers=player.client.headers(b"")).text

    assert '"betAmount":0.00000001,"winAmount":1.5,"currency":"TOKEN",' in text
    assert player.balance().body["balance"] == Decimal("6.49999999")
    assert_refused(player.call("pay-in", "b", betAmount="6.5"), 4, balance="6.49999999")
