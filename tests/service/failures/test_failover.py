"""PostgreSQL with a synchronous standby: every answered bet outlives the primary."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from functools import partial

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from embedded import Urls
from models.audit.log import operation
from models.audit.seal import Seal, make_seal
from models.audit.verify import Asked, verify
from models.commands import Command, PayInOut
from models.database.engine import engine
from models.directory.providers import add_provider
from models.errors import LedgerUnavailable
from models.ledger.bet_questions import BetQuestion
from models.ledger.gateway_reads import GatewayReads
from models.migrate import migrate
from models.outcome import Outcome
from tests.service.failures.standby import PRIMARY, StandbyWorld, ask, both, standby_world
from tests.service.support.audit import assert_balances, settle
from tests.service.support.faults import DEPOSIT, twelve_players
from tests.service.support.keys import AUTHOR, CIPHER, JOURNAL, OPERATOR
from tests.service.support.ledger_world import in_time, new_players, running
from tests.service.support.load import Bet, Load, repeat
from tests.service.support.load import ask as send
from tests.service.support.processes import GatewayProcess, WorkerProcess, until

# A gateway that says soon that it does not know.
SHORT_TIMEOUTS = {
    "BETCORE_ANSWER_WITHIN_SECONDS": "2",
    "BETCORE_APPLY_WITHIN_SECONDS": "1",
    "BETCORE_ASK_PRIMARY_WITHIN_SECONDS": "0.5",
}
# A worker that does not wait long for PostgreSQL, and so can be stopped soon.
BRIEF = {"BETCORE_STATEMENT_WAIT_SECONDS": "1"}
NOT_NOW = 99
WAITS_LONG = (
    "select from pg_stat_activity"
    " where wait_event = 'SyncRep' and clock_timestamp() > xact_start + interval '2 s'"
)


@pytest.fixture(scope="module")
def pair() -> Iterator[StandbyWorld]:
    """A primary and its standby, which stay what they are; told to keep their warnings."""
    with standby_world() as world:
        ask(world.primary.url, "alter database betcore set client_min_messages = 'error'")
        yield world


@pytest.fixture
def own_pair() -> Iterator[StandbyWorld]:
    """A primary and its standby of the test's own."""
    with standby_world() as world:
        yield world


def test_when_the_primary_is_killed_all_follow_the_promoted_standby_and_no_answered_bet_is_lost(
    own_pair: StandbyWorld,
) -> None:
    for _ in range(2):
        own_pair.gateway()
        own_pair.worker()
    with Load(
        twelve_players(own_pair), [gateway.url for gateway in own_pair.gateways]
    ) as running_load:
        running_load.wait_for(60, 1)
        seal = sealed(own_pair)
        own_pair.kill_primary()
        running_load.wait_for(8, 0, 99)
        own_pair.promote()
        running_load.wait_for(60, 1)

    assert all(process.alive for process in (*own_pair.gateways, *own_pair.workers))
    check(own_pair, running_load.bets, seal)


def test_a_standby_that_falls_silent_stops_all_yes_until_it_confirms_again(
    pair: StandbyWorld,
) -> None:
    gateway = pair.gateway(**SHORT_TIMEOUTS)
    pair.worker()
    with Load(twelve_players(pair), [gateway.url]) as running_load:
        running_load.wait_for(20, 1)
        with pair.frozen_standby():
            until(lambda: bool(pair.waiting_for_standby()))
            before = len(running_load.bets)
            running_load.wait_for(8, 0, 99)
            assert not any(bet.done for bet in running_load.bets[before:])
        running_load.wait_for(20, 1)

    check(pair, running_load.bets)


@pytest.mark.parametrize("ended_by", ["pg_cancel_backend", "pg_terminate_backend"])
def test_what_is_committed_but_may_not_be_on_the_standby_is_not_said(
    pair: StandbyWorld, ended_by: str
) -> None:
    """PostgreSQL shows it to others, and answers a wait cancelled by hand with success."""
    [player] = new_players(pair)
    bet = player.bet(3, 1)
    with pair.frozen_standby():
        for question in (apply, recorded, state_of, sealed, apply):
            with running(partial(question, pair, bet)) as answer:
                until(lambda: bool(pair.waiting_for_standby()))
                [pid] = pair.waiting_for_standby()
                ask(pair.primary.url, f"select {ended_by}({pid})")
                assert isinstance(answer.exception(), LedgerUnavailable | OperationalError)
            assert pair.rows("select from bet where bet_id = %s", bet.bet_id)

    said = apply(pair, bet)
    assert recorded(pair, bet) == said
    assert state_of(pair, bet) == "settled"
    heads = {(head.strand, head.number) for head in sealed(pair).heads}
    assert heads == set(pair.rows("select strand, max(number) from journal group by strand"))


def test_the_time_limit_of_a_transaction_does_not_end_its_wait_for_the_standby(
    pair: StandbyWorld,
) -> None:
    [player] = new_players(pair)
    bet = player.bet(3, 1)
    with ThreadPoolExecutor(1) as thread:
        with pair.frozen_standby():
            outcome = thread.submit(apply, pair, bet, seconds_max=0.5)
            until(lambda: bool(pair.rows(WAITS_LONG)), lambda: f"{outcome}")
            assert not outcome.done()
        assert outcome.result() == recorded(pair, bet)


def test_ids_drawn_by_a_transaction_that_failed_are_not_used(pair: StandbyWorld) -> None:
    """The standby may never hear of them, and give them out again once it is the primary."""
    [player] = new_players(pair)
    for _ in range(2):  # the second time it has none left
        with pytest.raises(ZeroDivisionError):
            pair.ledger.apply([player.bet(1)], lambda _: bool(1 / 0), 5)
    drawn = pair.rows("select last_value from ledger_ids")

    apply(pair, player.bet(1))

    assert pair.rows("select last_value from ledger_ids") > drawn


def test_a_primary_that_comes_back_beside_its_successor_says_yes_to_nothing(
    own_pair: StandbyWorld,
) -> None:
    player = twelve_players(own_pair)[0]
    bet = Bet(player, Decimal(3), Decimal(1))
    own_pair.kill_primary()
    own_pair.promote()
    own_pair.revive_primary()

    # The first that the URL names takes writes, so that these never look at the other.
    gateway, worker = own_pair.gateway(**SHORT_TIMEOUTS), own_pair.worker(**BRIEF)
    assert send(bet, gateway.url) == 0
    client = replace(player.client, url=gateway.url)
    assert client.status("a bet that the successor may know").code == NOT_NOW
    worker.stop()
    gateway.stop()

    urls = Urls(own_pair.standby.url, own_pair.urls.redis)
    with GatewayProcess(urls) as gateway, WorkerProcess(urls) as worker:
        gateway.wait_ready()
        worker.wait_ready()
        repeat([bet], gateway.url)
    with psycopg.connect(own_pair.standby.url) as successor:
        found = successor.execute("select balance from account where id = %s", [player.account_id])
        assert found.fetchall() == [(DEPOSIT + bet.change,)]
    assert verify(own_pair.standby.url).ok


def test_a_url_of_several_servers_finds_the_primary_in_any_order(pair: StandbyWorld) -> None:
    """For what an operator does, too, and whether it says that it wants the primary or not."""
    url = both(pair.standby.url, pair.primary.url)
    for spelling in (url, url.removesuffix(f"?{PRIMARY}")):
        migrate(spelling)
        with operation(spelling, AUTHOR) as database:
            add_provider(database, uuid.uuid4().hex, CIPHER)
        assert verify(spelling).ok


def apply(world: StandbyWorld, command: Command, seconds_max: float = 30) -> list[Outcome | None]:
    """Apply it as a worker does."""
    return world.ledger.apply([command], in_time, seconds_max)


def recorded(world: StandbyWorld, command: Command) -> list[Outcome | None]:
    """Ask as a gateway does that had no reply."""
    return world.ledger.recorded([command])


def state_of(world: StandbyWorld, bet: PayInOut) -> str | None:
    """Ask as a gateway does for somebody who wants to know."""
    reads = GatewayReads(world.urls.database, connect_seconds=2, answer_seconds=8)
    try:
        [answer] = reads.bets([BetQuestion(bet.provider_id, bet.bet_id)])
    finally:
        reads.close()
    return None if answer.bet is None else answer.bet.state


def sealed(world: StandbyWorld, _: object = None) -> Seal:
    """Seal the journal as an operator does, on a connection of its own."""
    engine(world.urls.database).dispose()
    return make_seal(world.urls.database, JOURNAL, OPERATOR)


def check(world: StandbyWorld, bets: list[Bet], seal: Seal | None = None) -> None:
    """Check all that must hold at the end. `bets` are all bets of the players."""
    settle(world, bets, world.gateways[0].url)
    assert_balances(world, bets, DEPOSIT)
    assert verify(world.urls.database, asked=Asked(JOURNAL, OPERATOR, seal)).ok
