"""PayInOut through real processes, as a provider sees it."""

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
