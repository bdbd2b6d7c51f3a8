"""The largest wins of a provider: nothing passes them, and what is owed stays payable."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from models.audit.log import operation
from models.audit.verify import verify
from models.commands import BetCommand, PayIn, PayOut, Refund
from models.database.pipeline import Pipeline
from models.directory.provider_rules import LimitChange, set_limits
from models.outcome import Outcome
from tests.service.support import keys
from tests.service.support.ledger_world import (
    LedgerPlayer,
    apply,
    balance_of,
    in_time,
    ledger_on,
    new_players,
    running,
    until_waiting,
)
from tests.service.support.world import World


def limit(world: World, player: LedgerPlayer, **limits: str | None) -> None:
    """Set limits of the player's provider in euros, as an operator does."""
    [(counterparty,)] = world.rows(
        "select counterparty_id from provider where id = %s", player.provider_id
    )
    wanted: dict[str, Any] = {
        name: {"EUR": None if amount is None else Decimal(amount)}
        for name, amount in limits.items()
    }
    with operation(world.operator_url, keys.AUTHOR) as database:
        set_limits(database, counterparty, LimitChange(**wanted))


def call(
    player: LedgerPlayer,
    kind: type[BetCommand],
    bet_id: str,
    *,
    stake: str | None = None,
    win: str | None = None,
) -> BetCommand:
    """A command of any call about a bet."""
    bet = player.bet(0, 0, bet_id)
    fields = {name: getattr(bet, name) for name in ("provider_id", "session_id", "account_id")}
    return kind(
        **fields,
        bet_id=bet_id,
        round_id=None,
        stake=None if stake is None else Decimal(stake),
        win=None if win is None else Decimal(win),
    )


def said(outcome: Outcome) -> tuple[int, str | None]:
    """Code and reason of an answer."""
    return outcome.code, outcome.reason


def won_today(world: World, player: LedgerPlayer) -> list[Decimal]:
    """The day's totals of the player's provider."""
    return [
        total
        for (total,) in world.rows(
            "select w.total from win_day w join account a on a.id = w.account_id"
            " where a.provider_id = %s",
            player.provider_id,
        )
    ]


LIMITS = [("max_win", "win_above_limit"), ("max_daily_win", "win_above_daily_limit")]


@pytest.mark.parametrize(("name", "reason"), LIMITS)
def test_a_refused_pay_out_leaves_the_bet_open_and_is_paid_once_the_limit_is_raised(
    ledger_world: World, name: str, reason: str
) -> None:
    [player] = new_players(ledger_world)
    limit(ledger_world, player, **{name: "24.99"})
    pay_out = call(player, PayOut, "owed", win="25")
    apply(ledger_world, call(player, PayIn, "owed", stake="10"))

    for _ in range(2):
        [refused] = apply(ledger_world, pay_out)
        assert said(refused) == (5, reason)
        assert refused.balance == 90
    assert ledger_world.rows(
        "select state from bet where bet_id = 'owed' and account_id = %s", player.account_id
    ) == [("open",)]
    assert ledger_world.ledger.recorded([pay_out]) == [None]  # a reader may not call it final

    limit(ledger_world, player, **{name: "25"})
    first, again = apply(ledger_world, pay_out, pay_out)

    assert said(first) == (1, None)
    assert again == first
    assert balance_of(ledger_world, player) == 115


@pytest.mark.parametrize(("name", "reason"), LIMITS)
def test_a_refused_pay_in_out_is_rejected_for_ever_and_an_owed_win_is_not(
    ledger_world: World, name: str, reason: str
) -> None:
    [player] = new_players(ledger_world)
    limit(ledger_world, player, **{name: "20"})
    bets = [player.bet(1, 21, "bet"), player.bet(0, 21, "prize")]

    assert [said(one) for one in apply(ledger_world, *bets)] == [(5, reason)] * 2
    limit(ledger_world, player, **{name: None})

    bet, prize = apply(ledger_world, *bets)
    assert said(bet) == (5, reason)
    assert said(prize) == (1, None)
    assert balance_of(ledger_world, player) == 121


def test_repeats_refunds_and_lost_bets_are_unaffected_by_limits_of_0(ledger_world: World) -> None:
    [player] = new_players(ledger_world)
    won = player.bet(1, 5, "won")
    apply(ledger_world, won, call(player, PayIn, "open", stake="1"))

    limit(ledger_world, player, max_win="0", max_daily_win="0")

    outcomes = apply(
        ledger_world,
        won,
        call(player, PayOut, "open", win="0"),
        player.bet(1, 0),
        call(player, PayIn, "another", stake="1"),
        call(player, Refund, "won"),
    )
    assert [outcome.code for outcome in outcomes] == [1] * 5
    assert sum(won_today(ledger_world, player)) == 0


def test_bets_of_one_batch_and_of_all_players_share_the_day(ledger_world: World) -> None:
    players = new_players(ledger_world, count=3)
    limit(ledger_world, players[0], max_daily_win="50")

    outcomes = apply(ledger_world, *[player.bet(1, "20.5") for player in players])

    assert [outcome.code for outcome in outcomes] == [1, 1, 5]
    assert won_today(ledger_world, players[0]) == [41]
    [last] = apply(ledger_world, players[2].bet(1, 9))
    assert last.code == 1
    assert won_today(ledger_world, players[0]) == [50]


def test_two_workers_at_once_never_let_the_total_pass(ledger_world: World) -> None:
    players = new_players(ledger_world, "1000", count=4)
    limit(ledger_world, players[0], max_daily_win="100")

    def play(player: LedgerPlayer) -> list[int]:
        with ledger_on(ledger_world) as ledger:
            bets = [[player.bet(1, 7), player.bet(1, 3)] for _ in range(10)]
            return [
                outcome.code
                for batch in bets
                for outcome in ledger.apply(batch, in_time, 20)
                if outcome is not None
            ]

    with ThreadPoolExecutor(len(players)) as workers:
        codes = [code for played in workers.map(play, players) for code in played]

    paid = ledger_world.rows(
        "select sum(t.amount) from transfer t join bet on bet.id = t.bet"
        " where t.kind = 'win' and bet.provider_id = %s",
        players[0].provider_id,
    )
    assert set(codes) == {1, 5}
    assert won_today(ledger_world, players[0]) == [paid[0][0]]
    assert 97 < paid[0][0] <= 100


def test_a_worker_that_waited_for_another_sees_what_the_other_paid(ledger_world: World) -> None:
    """The total is read after its lock was granted."""
    first, second = new_players(ledger_world, count=2)
    limit(ledger_world, first, max_daily_win="10")
    apply(ledger_world, first.bet(1, 1))

    def pay() -> int:
        with ledger_on(ledger_world) as ledger:
            [outcome] = ledger.apply([second.bet(1, 5)], in_time, 20)
            assert outcome is not None
            return outcome.code

    held = "update win_day set total = 6 where account_id = (select id from account where"
    with psycopg.connect(ledger_world.urls.database) as other:
        other.execute(f"{held} provider_id = %s)", [first.provider_id])
        with running(pay) as paying:
            until_waiting(ledger_world)
            other.commit()
            assert paying.result() == 5


Statements = Callable[[LedgerPlayer], list[int]]


@pytest.fixture
def statements(ledger_world: World, monkeypatch: pytest.MonkeyPatch) -> Statements:
    """The number of statements in each round trip of a batch that wins."""
    counts: list[int] = []
    run = Pipeline.run

    def counted(self: Pipeline, *sent: Any) -> Any:
        counts.append(len(sent))
        return run(self, *sent)

    def of(player: LedgerPlayer) -> list[int]:
        apply(ledger_world, player.bet(1, 1))  # ids are drawn
        with monkeypatch.context() as patch:
            patch.setattr(Pipeline, "run", counted)
            counts.clear()
            apply(ledger_world, player.bet(1, 1), player.bet(1, 0))
            return list(counts)

    return of


def test_only_a_provider_with_a_limit_per_day_costs_more_statements(
    ledger_world: World, statements: Statements
) -> None:
    [player] = new_players(ledger_world)

    without = statements(player)
    limit(ledger_world, player, max_win="5")
    with_limit_per_bet = statements(player)
    limit(ledger_world, player, max_daily_win="50")
    with_limit_per_day = statements(player)

    assert without == with_limit_per_bet
    # Load: BEGIN, its time limit, accounts, sessions, bets, the moment. Write: bets, transfers,
    # accounts, the journal, COMMIT.
    assert without == [6, 5]
    assert with_limit_per_day == [6, 1, 6]


def of_provider(world: World, player: LedgerPlayer) -> list[str]:
    """What `betcore ledger verify` finds wrong with the wins per day of the player's provider."""
    [(name,)] = world.rows("select counterparty_id from provider where id = %s", player.provider_id)
    return [one for one in verify(world.operator_url, 10_000).problems if name in one]


def test_verify_names_the_day_whose_wins_somebody_changed(ledger_world: World) -> None:
    [player] = new_players(ledger_world)
    apply(ledger_world, player.bet(1, 4))  # before there is a limit
    limit(ledger_world, player, max_daily_win="50")
    apply(ledger_world, player.bet(1, 20), player.bet(1, 0), call(player, PayIn, "open", stake="1"))
    apply(ledger_world, call(player, PayOut, "open", win="2.5"), call(player, Refund, "open"))
    assert won_today(ledger_world, player) == [Decimal("22.5")]
    assert of_provider(ledger_world, player) == []

    [(house,)] = ledger_world.rows(
        "select id from account where provider_id = %s", player.provider_id
    )
    older = "update audit_log set created_at = created_at - interval '2 h'"
    with psycopg.connect(ledger_world.urls.database) as superuser:
        superuser.execute("set session_replication_role = replica")
        superuser.execute(f"{older} where subject = %s", [str(house)])
    # Since the limit is hours old, all 26.5 count. So 22.5 is too little, as if somebody had
    # taken 4 away.
    [problem] = of_provider(ledger_world, player)
    assert "are kept as 22.5, but its transfers have" in problem
    assert " in EUR " in problem

    for planted, is_wrong in (("26.5", False), ("26.51", True), ("0", True), ("26.5", False)):
        ledger_world.execute("update win_day set total = %s where account_id = %s", planted, house)
        assert len(of_provider(ledger_world, player)) == is_wrong, planted
    ledger_world.execute("delete from win_day where account_id = %s", house)
    assert "are kept as 0, but" in of_provider(ledger_world, player)[0]
