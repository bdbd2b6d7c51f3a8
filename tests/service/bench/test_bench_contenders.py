"""The benchmark's rivals make every check that we make. Otherwise the comparison is unfair."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bench.contenders.catalogue import CONTENDERS
from models.audit.verify import verify
from models.commands import Deposit
from tests.service.support.client import Answer, encode, pay_in_out_path
from tests.service.support.refusals import resume, suspend
from tests.service.support.world import PlayerSession, World, new_world

# Those with other processes; `ours-2x2` and `stock-rq-default` differ in number or class only.
NAMES = [name for name in CONTENDERS if name not in ("ours-2x2", "stock-rq-default")]


@pytest.fixture(scope="module")
def installation() -> Iterator[World]:
    """Migrated servers, without a process of ours."""
    with new_world() as world:
        yield world


@pytest.fixture(params=NAMES, scope="module")
def rival(request: pytest.FixtureRequest, installation: World) -> Iterator[tuple[World, str]]:
    """A contender that answers: its servers, and its URL. It leaves no process behind."""
    with CONTENDERS[request.param].start(installation.urls) as running:
        assert running.pids["gateway"]
        yield installation, running.url
    assert not any(Path(f"/proc/{pid}").exists() for pids in running.pids.values() for pid in pids)


@pytest.fixture
def player(rival: tuple[World, str]) -> Iterator[PlayerSession]:
    """A player with 1000 EUR, at most 500 a bet, who calls the rival; its books must be right."""
    world, url = rival
    client = replace(world.provider(), url=url)
    yield world.open_session(client, max_bet="500")
    report = verify(world.urls.database)
    assert report.ok, report.problems


def test_a_rival_pays_and_repeats_with_the_first_ids(player: PlayerSession) -> None:
    bet = {"betId": uuid.uuid4().hex, "gameRoundId": "round", "winOdd": "2.5"}

    first = player.pay_in_out("10.50", "25.25", **bet)
    again = player.pay_in_out("10.5", "25.25", **bet)

    assert first.code == 1
    assert first.body["balance"] == player.balance().body["balance"]
    assert str(first.body["balance"]) == "1014.75"
    assert again.body == first.body
    assert first.body["betTransactionId"] != first.body["winTransactionId"]


def test_a_rival_refuses_what_we_refuse(rival: tuple[World, str], player: PlayerSession) -> None:
    world, _ = rival
    bet = uuid.uuid4().hex
    player.pay_in_out("1", betId=bet)
    closed = world.open_session(player.client)
    world.close_session(closed)
    other = world.open_session(player.client)

    assert refusal(player.pay_in_out("2", betId=bet)) == (402, 7)
    assert refusal(other.pay_in_out("1", betId=bet)) == (402, 7)
    assert refusal(player.pay_in_out("501")) == (402, 5)
    assert refusal(closed.pay_in_out("1")) == (402, 3)
    assert refusal(player.pay_in_out("-1")) == (402, 2)
    assert refusal(replace(player, session_id="nowhere").pay_in_out("1")) == (402, 3)


def test_a_rival_remembers_that_the_funds_did_not_suffice(
    rival: tuple[World, str], player: PlayerSession
) -> None:
    world, _ = rival
    poor = world.open_session(player.client, "5")
    bet = uuid.uuid4().hex

    first = poor.pay_in_out("6", "100", betId=bet)
    deposit(world, poor, "100")
    again = poor.pay_in_out("6", "100", betId=bet)

    assert refusal(first) == (402, 4)
    assert str(first.body["balance"]) == "5"
    assert refusal(again) == (402, 4)
    assert refusal(poor.pay_in_out("5", "100", betId=bet)) == (402, 7)
    assert refusal(poor.pay_in_out("6", "99", betId=bet)) == (402, 7)
    assert refusal(poor.call("pay-in", bet, betAmount="6")) == (402, 7)


def test_a_rival_authenticates_as_we_do(player: PlayerSession) -> None:
    path = pay_in_out_path(player.session_id)
    body = encode({"betId": uuid.uuid4().hex, "betAmount": "1", "winAmount": "0"})
    headers = player.client.headers(body)
    reused = player.client.headers(b"", nonce=headers["X-Request-Id"])

    assert player.client.post(path, body, headers).code == 1
    assert refusal(player.client.post(path, body, headers)) == (409, 0)
    assert refusal(player.client.post(path, b"", reused)) == (401, 8)
    assert refusal(player.client.post(path, body, headers | {"X-Sign": "0" * 64})) == (401, 8)
    assert str(player.balance().body["balance"]) == "999"


def test_a_rival_keeps_the_table_of_bets(player: PlayerSession) -> None:
    """The calls of the benchmark's mix, and what each may meet."""
    won, lost, never = (uuid.uuid4().hex for _ in range(3))

    taken = player.call("pay-in", won, betAmount="100")
    paid = player.call("pay-out", won, winAmount="30.5", winOdd="0.305")
    refunded = player.call("refund", won)

    assert (taken.code, paid.code, refunded.code) == (1, 1, 1)
    assert [str(a.body["balance"]) for a in (taken, paid, refunded)] == ["900", "930.5", "1000"]
    assert player.call("refund", won).body == refunded.body
    assert refusal(player.call("pay-in", won, betAmount="100")) == (402, 7)
    assert refusal(player.call("pay-out", won, winAmount="30.5")) == (402, 7)

    assert player.call("pay-in", lost, betAmount="7").code == 1
    repeated = player.call("pay-in", lost, betAmount="7.00")
    assert (repeated.code, str(repeated.body["balance"])) == (1, "993")
    assert refusal(player.pay_in_out("7", betId=lost)) == (402, 7)
    assert str(player.call("refund", lost).body["balance"]) == "1000"

    assert refusal(player.call("pay-out", never, winAmount="1")) == (402, 6)
    assert player.call("refund", never).code == 1
    assert refusal(player.call("pay-in", never, betAmount="1")) == (402, 7)
    assert refusal(player.call("pay-out", never, winAmount="1")) == (402, 7)


def test_a_rival_takes_no_win_back_that_is_spent(
    rival: tuple[World, str], player: PlayerSession
) -> None:
    world, _ = rival
    won = uuid.uuid4().hex
    player.pay_in_out("10", "400", betId=won)
    for stake in ("500", "500", "1"):
        assert player.pay_in_out(stake).code == 1

    spent = player.call("refund", won)
    deposit(world, player, "1")
    refunded = player.call("refund", won)

    assert refusal(spent) == (402, 7)
    assert (refunded.code, str(refunded.body["balance"])) == (1, "0")


def test_a_rival_pays_what_is_owed_and_keeps_a_bet_to_its_round(
    rival: tuple[World, str], player: PlayerSession
) -> None:
    world, _ = rival
    bet, prize = uuid.uuid4().hex, uuid.uuid4().hex
    assert player.pay_in_out("1", betId=bet, gameRoundId="r1").code == 1
    assert refusal(player.pay_in_out("1", betId=bet, gameRoundId="r2")) == (402, 7)
    world.close_session(player)

    assert refusal(player.pay_in_out("0", "0")) == (402, 3)
    suspend(world, player)
    assert refusal(player.pay_in_out("0", "5", betId=prize)) == (402, 5)
    resume(world, player)
    paid = player.pay_in_out("0", "5", betId=prize)
    assert (paid.code, str(paid.body["balance"])) == (1, "1004")
    assert player.pay_in_out("0", "5", betId=prize).body == paid.body


def test_a_rival_marks_the_refund_of_a_rejected_bet_once(player: PlayerSession) -> None:
    bet = uuid.uuid4().hex
    assert refusal(player.call("pay-in", bet, betAmount="501")) == (402, 5)

    mark = player.call("refund", bet)

    assert (mark.code, str(mark.body["balance"])) == (1, "1000")
    assert player.call("refund", bet).body == mark.body
    assert refusal(player.call("pay-in", bet, betAmount="501")) == (402, 5)
    assert refusal(player.pay_in_out("501", betId=bet)) == (402, 7)
    assert refusal(player.call("pay-out", bet, winAmount="1")) == (402, 6)


def refusal(answer: Answer) -> tuple[int, int]:
    """The status and code of an answer."""
    return answer.status, answer.code


def deposit(world: World, player: PlayerSession, amount: str) -> None:
    """Put money into a player's account, not through the rival."""
    command = Deposit(player.account_id, uuid.uuid4().hex, Decimal(amount))
    (outcome,) = world.ledger.apply([command], lambda _: True, 5)
    assert outcome is not None
    assert outcome.code == 1
