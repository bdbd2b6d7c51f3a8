"""PROTOCOL.md, rules 5 to 8: deadlines, order, ended sessions, and answers without a reply."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from tests.service.support.bet_rows import CALLS, STAKE, bet_in, follow
from tests.service.support.client import Answer
from tests.service.support.faults import locked
from tests.service.support.patience import wait_for_quiet
from tests.service.support.processes import until
from tests.service.support.refusals import assert_refused, block, close, expire, unblock
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.short_timeout_world import (
    no_worker,
    patient,
    under_way,
    wait_for_commands,
)
from tests.service.wallet.wallet_checks import ids_of

ANSWERED_WITHIN_SECONDS = 5
#: Row, call, by how much its data is other data, and what is said when no reply comes.
WITHOUT_A_REPLY = [
    ("open", "pay-in", 0, 1),
    ("open", "pay-in", 1, 7),
    ("open", "pay-in-out", 0, 7),
    ("open", "pay-out", 0, 0),
    ("open", "refund", 0, 0),
    ("settled by pay-in + pay-out", "pay-in", 0, 1),
    ("settled by pay-in + pay-out", "pay-out", 0, 1),
    ("settled by pay-in + pay-out", "pay-out", 1, 7),
    ("settled by pay-in + pay-out", "refund", 0, 0),
    ("settled by pay-in-out", "pay-in-out", 0, 1),
    ("settled by pay-in-out", "pay-out", 0, 7),
    ("rejected by pay-in", "pay-in", 0, 4),
    ("rejected by pay-in", "pay-in", 1, 7),
    ("rejected by pay-in", "pay-out", 0, 6),
    ("rejected by pay-in", "refund", 0, 0),
    ("rejected by pay-in-out", "pay-in-out", 0, 4),
    ("refunded", "refund", 0, 1),
    ("refunded", "pay-in", 0, 7),
    ("cancelled", "refund", 0, 1),
    ("cancelled", "pay-in-out", 0, 7),
    ("not recorded", "pay-in", 0, 0),
    ("not recorded", "pay-in-out", 0, 0),
    ("not recorded", "pay-out", 0, 0),
    ("not recorded", "refund", 0, 0),
]


@pytest.fixture
def short_timeout_player(short_timeout_world: World) -> PlayerSession:
    """A player at the gateway that gives up soon."""
    return short_timeout_world.open_session(short_timeout_world.provider())


def test_a_request_is_answered_within_5_seconds_of_its_arrival_whatever_happens(
    short_timeout_world: World,
) -> None:
    players = [short_timeout_world.open_session(short_timeout_world.provider()) for _ in CALLS]

    def ask(player: PlayerSession, call: str) -> tuple[Answer, float]:
        began = time.monotonic()
        answer = patient(short_timeout_world, player).call(call, "a", betAmount=1, winAmount=1)
        return answer, time.monotonic() - began

    wait_for_quiet()
    with no_worker(short_timeout_world), ThreadPoolExecutor(len(CALLS)) as threads:
        answers = list(threads.map(ask, players, CALLS))

    for answer, seconds in answers:
        assert (answer.status, answer.code) == (504, 0)
        assert "balance" not in answer.body
        assert seconds < ANSWERED_WITHIN_SECONDS + 0.5  # of which our machine may take some


@pytest.mark.parametrize("call", CALLS)
def test_a_bet_past_its_deadline_leaves_nothing_and_requeueing_it_only_expires_it_again(
    short_timeout_world: World, short_timeout_player: PlayerSession, call: str
) -> None:
    world, player = short_timeout_world, short_timeout_player
    with no_worker(world):
        assert player.call(call, "a", betAmount=1, winAmount=1).code == 0
        [job_id] = under_way(world, player)
    wait_for_commands(world, player, 0)

    job = Job.fetch(job_id, world.redis, serializer=JSONSerializer)
    assert job.get_status() == "failed"
    ended = job.ended_at
    job.requeue()
    until(lambda: job.get_status() == "failed" and Job.fetch(job_id, world.redis).ended_at != ended)

    account = "select last_seq, balance from account where id = %s"
    assert world.rows(account, player.account_id) == [(1, 1000)]
    assert world.rows("select id from bet where account_id = %s", player.account_id) == []
    again = patient(world, player).call(call, "a", betAmount=1, winAmount=1)
    assert again.code == (6 if call == "pay-out" else 1)


def test_one_at_a_time_per_account_in_the_order_of_admission_from_whatever_gateway(
    short_timeout_world: World, short_timeout_player: PlayerSession
) -> None:
    world, player = short_timeout_world, short_timeout_player
    other_gateway = patient(world, player)
    other_gateway.call("pay-in-out", "before", betAmount=1000, winAmount=5)
    # Each depends on those before it: in any other order one of them would be refused.
    calls: list[tuple[str, str, dict[str, Any], int, int]] = [
        ("pay-in", "a", {"betAmount": 5}, 1, 0),
        ("pay-in", "b", {"betAmount": 1}, 4, 0),
        ("pay-out", "a", {"winAmount": 20}, 1, 20),
        ("pay-in-out", "c", {"betAmount": 20, "winAmount": 3}, 1, 3),
        ("refund", "a", {}, 7, 3),
        ("refund", "c", {}, 1, 20),
        ("pay-in", "c", {"betAmount": 1}, 7, 20),
    ]

    with ThreadPoolExecutor(len(calls)) as threads:
        with locked(world, player.account_id):
            asked = []
            for number, (call, bet_id, fields, _, _) in enumerate(calls):
                asked.append(threads.submit(other_gateway.call, call, bet_id, **fields))
                wait_for_commands(world, player, number + 1)
        answers = [answer.result() for answer in asked]

    expected = [(code, balance) for *_, code, balance in calls]
    assert [(answer.code, answer.body["balance"]) for answer in answers] == expected


@pytest.mark.parametrize("end", [close, expire])
def test_the_end_of_a_session_is_read_after_the_accounts_row_lock_is_held(
    world: World, end: Callable[[World, PlayerSession], None]
) -> None:
    player = world.open_session(world.provider())

    with ThreadPoolExecutor(1) as threads:
        with locked(world, player.account_id):
            asked = threads.submit(player.call, "pay-in", "a", betAmount=1)
            until(lambda: _waits_for_its_row(world))
            end(world, player)
        refused = asked.result()

    assert_refused(refused, 3, balance=1000)


def test_a_session_expires_by_the_wall_clock_while_its_bet_waits_for_the_lock(world: World) -> None:
    player = world.open_session(world.provider())
    expires = "update session set expires_at = clock_timestamp() + interval '0.7s' where id = %s"
    restored = "update session set expires_at = %s where id = %s"
    [(signed,)] = world.rows("select expires_at from session where id = %s", player.session_id)
    left = "select expires_at > clock_timestamp() from session where id = %s"

    with ThreadPoolExecutor(1) as threads:
        with locked(world, player.account_id):
            world.execute(expires, player.session_id)
            asked = threads.submit(player.call, "pay-in", "a", betAmount=1)
            until(lambda: _waits_for_its_row(world))
            began_in_time = world.rows(left, player.session_id) == [(True,)]
            until(lambda: world.rows(left, player.session_id) == [(False,)])
        refused = asked.result()
    # Other tests verify this ledger, and the audit log has the time that was signed.
    world.execute(restored, signed, player.session_id)

    assert began_in_time
    assert_refused(refused, 3, balance=1000)


def test_without_a_reply_what_is_recorded_is_said_and_all_else_is_0(
    short_timeout_world: World, short_timeout_player: PlayerSession
) -> None:
    world, player = short_timeout_world, patient(short_timeout_world, short_timeout_player)
    bets = {row: bet_in(row, player) for row in {row for row, *_ in WITHOUT_A_REPLY}}
    refunded = player.call("refund", bets["refunded"])

    def ask(question: tuple[str, str, int, int]) -> Answer:
        row, call, more, _ = question
        return follow(row, call, short_timeout_player, bets[row], more)

    with no_worker(world), ThreadPoolExecutor(len(WITHOUT_A_REPLY)) as threads:
        answers = list(threads.map(ask, WITHOUT_A_REPLY))

    assert [answer.code for answer in answers] == [code for *_, code in WITHOUT_A_REPLY]
    named = {
        question[:3]: ids_of(answer)
        for question, answer in zip(WITHOUT_A_REPLY, answers, strict=True)
    }
    assert named["refunded", "refund", 0] == ids_of(refunded)
    assert named["settled by pay-in-out", "pay-in-out", 0].keys() == {"stake", "win"}
    balances = {answer.body["balance"] for answer in answers if answer.code != 0}
    assert balances == {world.balance(player)}


def test_without_a_reply_a_refusal_that_may_not_last_is_0_and_one_that_lasts_is_said(
    short_timeout_world: World, short_timeout_player: PlayerSession
) -> None:
    world, player = short_timeout_world, patient(short_timeout_world, short_timeout_player)
    settled = bet_in("settled by pay-in-out", player)
    taken = bet_in("open", world.open_session(player.client))
    block(world, player)
    assert player.call("pay-in", "blocked", betAmount=1).code == 5
    unblock(world, player)
    player.call("pay-in", "spent", betAmount=world.balance(player))

    with no_worker(world), ThreadPoolExecutor() as threads:
        calls = [
            threads.submit(short_timeout_player.call, "refund", settled),  # 7 for want of money
            threads.submit(short_timeout_player.call, "pay-in", "blocked", betAmount=1),
            threads.submit(short_timeout_player.call, "pay-in", taken, betAmount=STAKE),
        ]
        codes = [call.result().code for call in calls]

    assert codes == [0, 5, 7]
    assert player.call("refund", settled).code == 7


def _waits_for_its_row(world: World) -> bool:
    """Whether a worker waits for a lock in PostgreSQL."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    return bool(world.rows(waiting)[0][0])
