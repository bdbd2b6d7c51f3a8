"""The lines of gateways and workers about answers and commands that are not success."""

import logging
import re
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rq.suspension import resume, suspend

from broker.codec import BadJob
from broker.taken import TakenCommand
from models.deadline import Deadline
from tests.service.support.faults import frozen
from tests.service.support.ledger_world import ledger_on, new_players, taken
from tests.service.support.processes import BoundedGatewayProcess, until
from tests.service.support.raw import ask
from tests.service.support.refusals import block
from tests.service.support.world import PlayerSession, World
from workers.job_log import JOB_LOG
from workers.jobs import run

LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z gateway (?:INFO|WARNING) answer status=(\d+) .*")


@pytest.fixture(scope="module")
def gateway(world: World) -> Iterator[BoundedGatewayProcess]:
    """A gateway as operators run it, which gives up soon."""
    short_timeouts = {
        "BETCORE_APPLY_WITHIN_SECONDS": "0.5",
        "BETCORE_ANSWER_WITHIN_SECONDS": "2",
        "BETCORE_ASK_PRIMARY_WITHIN_SECONDS": "1",
    }
    with BoundedGatewayProcess(world.urls, **short_timeouts) as started:
        started.wait_ready()
        yield started


@pytest.fixture
def near(player: PlayerSession, gateway: BoundedGatewayProcess) -> PlayerSession:
    """The player at that gateway."""
    return replace(player, client=replace(player.client, url=gateway.url))


def lines(gateway: BoundedGatewayProcess, player: PlayerSession) -> list[str]:
    """The lines about answers to this player's provider, from where they say which."""
    provider = f"provider='{player.client.counterparty_id}'"
    found = [text for text in gateway.output.splitlines() if provider in text]
    assert all(LINE.fullmatch(text) for text in found), found
    return [text.partition(" answer ")[2] for text in found]


def test_a_process_as_operators_run_it_shows_refusals_at_info(
    world: World, near: PlayerSession, gateway: BoundedGatewayProcess
) -> None:
    block(world, near)

    unreadable = near.call("pay-in", "bet\n17", betAmount=1)
    refused = near.call("pay-in", "b", betAmount=1)

    assert (unreadable.code, refused.code) == (2, 5)
    until(lambda: len(lines(gateway, near)) == 2, lambda: gateway.output)
    assert lines(gateway, near)[1] == (
        f"status=402 code=5 reason='player_blocked' request='{refused.body['requestId']}'"
        f" provider='{near.client.counterparty_id}' session='{near.session_id}' bet='b'"
    )
    assert r"bet='bet\n17'" in lines(gateway, near)[0]


def test_while_the_queue_is_suspended_each_503_is_there_or_counted(
    world: World, near: PlayerSession, gateway: BoundedGatewayProcess
) -> None:
    suspend(world.redis)
    try:
        for _ in range(30):
            assert near.pay_in_out(1).status == 503
    finally:
        resume(world.redis)

    shown = len(lines(gateway, near))
    assert 10 <= shown < 30
    more = re.compile(r"reason='The workers are suspended\.' … and (\d+) more like it")
    until(lambda: more.search(gateway.output) is not None, lambda: gateway.output, seconds=60)
    assert shown + sum(map(int, more.findall(gateway.output))) == 30


def test_a_504_and_the_job_that_expired_both_name_the_bet(
    world: World, near: PlayerSession, gateway: BoundedGatewayProcess
) -> None:
    with frozen(*(worker.pid for worker in world.workers)):
        answer = near.pay_in_out(1, betId="slow")

    assert (answer.status, answer.code) == (504, 0)
    until(lambda: len(lines(gateway, near)) == 1, lambda: gateway.output)
    assert "status=504 code=0 reason='The outcome is not known yet" in lines(gateway, near)[0]
    assert lines(gateway, near)[0].endswith("bet='slow'")
    expired = f"job expired: id='{near.account_id}-"
    ends = re.compile(
        f"{expired}[0-9a-f]+' call='pay_in_out' session='{near.session_id}' bet='slow'"
    )
    until(
        lambda: any(ends.search(worker.output) for worker in world.workers),
        lambda: str([worker.output for worker in world.workers]),
    )


def test_what_the_http_layer_refuses_leaves_a_line_too(gateway: BoundedGatewayProcess) -> None:
    assert ask(gateway.url, b"this is no HTTP\r\n\r\n").status == 400

    until(lambda: "answer status=400 code=2" in gateway.output, lambda: gateway.output)


def test_a_flood_of_a_thousand_writes_few_lines_and_the_last_are_counted_when_it_ends(
    world: World,
) -> None:
    with BoundedGatewayProcess(world.urls) as gateway:
        gateway.wait_ready()
        player = world.open_session(world.provider(gateway), "0")
        for _ in range(1000):
            assert player.client.call(player.session_id, "pay-in").code == 2
        gateway.signal(signal.SIGTERM)
        gateway.wait()
        said = [text for text in gateway.output.splitlines() if "answer status=" in text]

    *shown, last = said
    counts = [int(text.split()[-4]) for text in said if "more like it" in text]
    assert len(shown) < 60  # five in each ten seconds, and their number
    assert last.endswith(f"code=2 reason='betId is missing.' … and {counts[-1]} more like it")
    assert len(said) - len(counts) + sum(counts) == 1000


def test_a_command_that_a_worker_finds_too_late_or_cannot_run_is_named(
    ledger_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    [player] = new_players(ledger_world, "10")
    late = taken(player.bet(1, 0, "late"), -0.001)
    foreign = TakenCommand("7-x", BadJob("no JSON\n"), Deadline(1e12))
    JOB_LOG.sum_up(everything=True)  # what the tests before this one left
    caplog.clear()
    caplog.set_level(logging.INFO)

    with ledger_on(ledger_world) as ledger:
        run(ledger, [late, foreign])

    said = [record.getMessage() for record in caplog.records if record.name == "betcore.job_log"]
    assert said[0].startswith("job failed: id='7-x' call=- session=- bet=- reason='BadJob: ")
    assert said[1] == (
        f"job expired: id='{late.id}' call='pay_in_out' session='{player.session_id}' bet='late'"
    )
    assert all(text.isprintable() for text in said)


def test_of_many_commands_that_expired_in_the_queue_the_first_are_named_and_all_are_counted(
    ledger_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    [player] = new_players(ledger_world, "10")
    late = [taken(player.bet(1), -0.001) for _ in range(24)]
    JOB_LOG.sum_up(everything=True)  # what the tests before this one left
    caplog.clear()
    caplog.set_level(logging.INFO)

    with ledger_on(ledger_world) as ledger:
        run(ledger, late)
    JOB_LOG.sum_up(everything=True)

    *said, last = [r.getMessage() for r in caplog.records if r.name == "betcore.job_log"]
    assert [text.split("'")[1] for text in said] == [one.id for one in late[:10]]
    assert last == "job expired: … and 14 more like it"
