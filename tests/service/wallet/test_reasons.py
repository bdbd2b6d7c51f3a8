"""The reason of a refusal with 3 or 5: in the answer, in a bet's state, for the operator."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from models.database.engine import engine
from models.migrate import migrate
from models.reason import Reason
from tests.service.support.databases import fresh_database
from tests.service.support.ledger_world import apply, ledger_on, new_players
from tests.service.support.operator_cli import Operator
from tests.service.support.refusals import (
    REASONS,
    assert_refused,
    beside,
    block,
    close,
    expire,
    planted,
    resume,
    suspend,
    unblock,
)
from tests.service.support.world import PlayerSession, World

Change = Callable[[World, PlayerSession], None]
CALLS: dict[str, dict[str, Any]] = {"pay-in": {}, "pay-in-out": {"winAmount": 5}}


def nothing(world: World, player: PlayerSession) -> None:
    """Change nothing: the session stays as it was."""


@dataclass(frozen=True)
class Cause:
    """How to cause a refusal with 5, and how to remove the cause where that is possible."""

    forbid: Change = nothing
    allow: Change = nothing
    limits: dict[str, Any] = field(default_factory=dict)


NOT_ALLOWED = {
    "player_blocked": Cause(block, unblock),
    "provider_suspended": Cause(suspend, resume),
    "below_limit": Cause(limits={"min_bet": "10.01"}),
    "above_limit": Cause(limits={"max_bet": "9.99"}),
}


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


def test_these_are_all_causes_that_there_are() -> None:
    assert set().union(*REASONS.values()) == set(Reason)
    # tests/service/ledger/test_win_limits.py has these.
    of_wins = {"win_above_limit", "win_above_daily_limit"}
    assert set(NOT_ALLOWED) | of_wins == REASONS[5]


@pytest.mark.parametrize("reason", NOT_ALLOWED)
@pytest.mark.parametrize("call", CALLS)
def test_the_reason_of_a_5_is_kept_with_the_bet_and_shown_for_ever_to_everybody(
    world: World, call: str, reason: str
) -> None:
    cause, bet = NOT_ALLOWED[reason], {"betAmount": 10} | CALLS[call]
    player = world.open_session(world.provider(), **cause.limits)
    cause.forbid(world, player)
    first = player.call(call, "a", **bet)
    cause.allow(world, player)
    later = beside(world, player)
    close(world, player)  # a repeat after that is of another cause, were it looked for anew

    for answer in (first, player.call(call, "a", **bet), later.call(call, "a", **bet)):
        assert_refused(answer, 5, balance=1000, reason=reason)
    assert first.body == player.call(call, "a", **bet).body | {"requestId": first.body["requestId"]}
    for _ in range(2):
        status = player.client.status("a").body
        assert (status["state"], status["refusedWith"], status["reason"]) == ("rejected", 5, reason)
        assert player.call("refund", "a").code == 1  # leaves it rejected
    [shown] = Operator(world, player.client.counterparty_id).documents(
        "bet", "show", "a", "--provider", player.client.counterparty_id
    )
    assert (shown["refusedWith"], shown["reason"]) == (5, reason)


@pytest.mark.parametrize(
    ("end", "reason"), [(close, "session_closed"), (expire, "session_expired")]
)
@pytest.mark.parametrize("call", CALLS)
def test_the_reason_of_a_3_says_how_the_session_ended(
    world: World, player: PlayerSession, call: str, end: Change, reason: str
) -> None:
    end(world, player)

    for _ in range(2):
        refused = player.call(call, "a", betAmount=10, **CALLS[call])
        assert_refused(refused, 3, balance=1000, reason=reason)
    assert player.client.status("a").body["reason"] is None


def test_an_unknown_session_and_another_providers_look_the_same(
    world: World, player: PlayerSession
) -> None:
    other = world.open_session(world.provider())
    close(world, other)
    calls = {"pay-in": 10, "pay-out": 10, "pay-in-out": 10, "refund": 10}

    for call in calls:
        bodies = []
        for session_id in ("nowhere", uuid.uuid4().hex, other.session_id):
            there = PlayerSession(player.client, session_id, player.account_id)
            refused = there.call(call, "a", betAmount=10, winAmount=10)
            assert_refused(refused, 3, balance=None, reason="session_unknown")
            bodies.append(refused.body | {"requestId": ""})
        assert bodies[0] == bodies[1] == bodies[2]
    assert_refused(
        PlayerSession(player.client, "nowhere", 0).balance(), 3, None, reason="session_unknown"
    )


def test_of_several_causes_the_first_in_the_order_of_the_protocol_is_given(world: World) -> None:
    player = world.open_session(world.provider(), "5", max_bet="10")
    live = beside(world, player, max_bet="10")
    closed = beside(world, player, max_bet="10")
    for forbid in (expire, block, suspend):
        forbid(world, player)
    expire(world, closed)
    close(world, closed)

    def reason(of: PlayerSession) -> object:
        return of.call("pay-in", uuid.uuid4().hex, betAmount=20).body.get("reason")

    assert [reason(closed), reason(player), reason(live)] == [
        *("session_closed", "session_expired", "player_blocked")
    ]
    unblock(world, player)
    assert reason(live) == "provider_suspended"
    resume(world, player)
    assert reason(live) == "above_limit"


def test_no_other_code_has_a_reason(player: PlayerSession) -> None:
    player.pay_in_out(1, betId="a")
    refused = {
        2: player.pay_in_out(-1),
        4: player.pay_in_out(10_000, betId="b"),
        6: player.call("pay-out", "c", winAmount=1),
        7: player.pay_in_out(2, betId="a"),
        8: player.client.post(f"/v1/sessions/{player.session_id}/bets/pay-in", b"{}", {}),
    }

    assert {code: answer.code for code, answer in refused.items()} == {c: c for c in refused}
    assert not any("reason" in answer.body for answer in refused.values())
    assert player.client.status("b").body["reason"] is None


def test_a_bet_that_was_rejected_before_reasons_were_recorded_has_none(
    world: World, player: PlayerSession
) -> None:
    with planted(world, player, "pay_in", "rejected", (10, None)) as bet_id:
        assert_refused(player.call("pay-in", bet_id, betAmount=10), 5, balance=1000, reason=None)
        status = player.client.status(bet_id).body
        assert (status["refusedWith"], status["reason"]) == (5, None)


def test_without_a_reply_the_record_gives_the_reason_too(ledger_world: World) -> None:
    [player] = new_players(ledger_world, "100", max_bet="9")
    refused = player.bet(10)
    [first] = apply(ledger_world, refused)

    with ledger_on(ledger_world) as fresh:
        said = fresh.recorded([refused, player.bet(10)])

    assert first.reason == "above_limit"
    assert said == [first, None]


class Older:
    """A worker of the version before, as the schema sees it: it names the columns that it knew."""

    INSERT = """
        insert into bet (id, provider_id, bet_id, account_id, session_id, round_id, opened_by,
                         state, stake, win, odd, refused_with)
        select * from unnest(%s::bigint[], %s::int[], %s::text[], %s::bigint[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[],
            %s::smallint[])
    """
    MADE = """
        insert into currency values ('EUR', 2);
        insert into provider (id, counterparty_id, name, status) values (1, 'one', 'One', 'active');
        insert into player (id, external_id, status) values (1, 'Ann', 'active');
        insert into account (id, kind, player_id, provider_id, currency, balance) values
            (1, 'cash', null, null, 'EUR', null), (2, 'house', null, 1, 'EUR', null),
            (4, 'player', 1, null, 'EUR', 0);
        insert into session (id, provider_id, account_id, expires_at)
            values ('session-1', 1, 4, now() + '1 hour');
    """


def test_the_migration_keeps_every_row_and_an_older_worker_goes_on(
    ledger_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [
        [n] for n in (9, 1, "old", 4, "session-1", None, "pay_in", "rejected", 10, None, None, 5)
    ]
    upgrade = command.upgrade

    def to_0003(config: Config, _: str) -> None:
        upgrade(config, "0003")

    with fresh_database(ledger_world) as url:
        monkeypatch.setattr(command, "upgrade", to_0003)
        migrate(url)
        with psycopg.connect(url) as connection:
            connection.execute(Older.MADE)
            connection.execute(Older.INSERT.encode(), columns)
            connection.execute(
                "insert into bet select 19, 1, 'taken', 4, 'session-1', 'r', 'pay_in',"
                " 'open', 10 from bet"
            )
            before = connection.execute("select * from bet order by id").fetchall()
        monkeypatch.undo()

        migrate(url)
        with psycopg.connect(url) as connection:
            after = connection.execute("select * from bet order by id").fetchall()
            columns[0], columns[2] = [10], ["older still"]
            connection.execute(Older.INSERT.encode(), columns)
            rejected = "select bet_id, refused_with, reason from bet where state = 'rejected'"
            assert connection.execute(f"{rejected} order by id").fetchall() == [
                ("old", 5, None),
                ("older still", 5, None),
            ]
        engine(url).dispose()

    assert after == [(*row, None, None) for row in before]  # a reason, and a game


def test_a_migration_that_was_killed_while_it_validated_is_run_again(
    ledger_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0004"))
    with fresh_database(ledger_world) as url:
        migrate(url)
        with psycopg.connect(url) as connection:
            connection.execute("update alembic_version set version_num = '0003'")
            connection.execute("alter table bet drop constraint bet_reason_of_not_allowed")
            connection.execute(
                "alter table bet add constraint bet_reason_of_not_allowed check (true) not valid"
            )

        migrate(url)

        with psycopg.connect(url) as connection:
            [(valid, text)] = connection.execute(
                "select convalidated, pg_get_constraintdef(oid) from pg_constraint"
                " where conname = 'bet_reason_of_not_allowed'"
            ).fetchall()
        engine(url).dispose()
    assert valid
    assert "above_limit" in text
