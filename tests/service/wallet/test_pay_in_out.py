"""PayInOut through real processes: what a provider sees."""

import json
from decimal import Decimal

from tests.service.support.client import pay_in_out_path
from tests.service.support.world import World

SEED_BODY = b"""{
  "betId": "4178696881",
  "gameRoundId": "c5dfa465-93fc-4e8e-a643-954747f74ca1",
  "betAmount": 10.5,
  "winAmount": 55.25,
  "winOdd": 11.05
}"""


def test_the_seeds_own_request_gets_the_seeds_own_answer(world: World) -> None:
    player = world.open_session(world.provider(), "1543.75")

    answer = player.client.post(pay_in_out_path(player.session_id), SEED_BODY)

    assert answer.status == 200
    assert answer.body["balance"] == Decimal("1588.5")
    assert answer.body["_responseCode"] == 1
    bet_id, win_id = answer.body["betTransactionId"], answer.body["winTransactionId"]
    assert isinstance(bet_id, str)
    assert isinstance(win_id, str)
    assert bet_id != win_id
    assert set(answer.body) == {"betTransactionId", "winTransactionId", "balance", "_responseCode"}


def test_a_repeat_gets_the_first_ids_and_the_present_balance_and_moves_nothing(
    world: World,
) -> None:
    client = world.provider()
    player = world.open_session(client, "100")
    first = player.pay_in_out(10, 5, betId="a")
    player.pay_in_out(1, betId="b")

    repeat = player.pay_in_out("10.00", "5e0", betId="a")

    assert repeat.status == 200
    assert repeat.body["betTransactionId"] == first.body["betTransactionId"]
    assert repeat.body["winTransactionId"] == first.body["winTransactionId"]
    assert repeat.body["balance"] == Decimal(94)
    assert world.balance(player) == Decimal(94)


def test_every_id_answered_names_its_transfer(world: World) -> None:
    player = world.open_session(world.provider(), "100")

    answer = player.pay_in_out("2.5", 0)

    ids = [int(answer.body["betTransactionId"]), int(answer.body["winTransactionId"])]
    rows = world.rows(
        "select id, kind, amount, account, balance_after from transfer where id = any(%s)"
        " order by account_seq",
        ids,
    )
    assert rows == [
        (ids[0], "stake", Decimal("2.5"), player.account_id, Decimal("97.5")),
        (ids[1], "win", Decimal(0), player.account_id, Decimal("97.5")),
    ]


def test_the_balance_is_an_exact_json_number_without_exponent_or_trailing_zeros(
    world: World,
) -> None:
    world.currency("TOK", 8)
    player = world.open_session(world.provider(), "900000000000000.10000000", currency="TOK")
    world.open_session(player.client, "0")
    body = b'{"betId":"x","betAmount":0.00000001,"winAmount":"1E-7"}'

    headers = player.client.headers(body)
    url = f"{player.client.url}{pay_in_out_path(player.session_id)}"
    text = player.client.http.post(url, content=body, headers=headers).text

    assert '"balance":900000000000000.10000009,' in text
    assert json.loads(text, parse_float=Decimal)["balance"] == Decimal("900000000000000.10000009")
