"""Finished rounds in batches: commands see each other, and a batch without one costs no more."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from models.audit.verify import Asked, verify
from models.commands import BetCommand, PayIn, PayOut, Refund
from models.database.pipeline import Pipeline
from models.ledger.ledger import _IDS_PER_COMMAND
from models.ledger.load import ID_BLOCK
from models.ledger.rules import CLOSED_MAX
from models.outcome import Outcome
from tests.service.support import keys
from tests.service.support.ledger_world import (
    LedgerPlayer,
    apply,
    balance_of,
    in_time,
    ledger_on,
    new_players,
    recorded_rows,
)
from tests.service.support.world import World


def pay_in(player: LedgerPlayer, bet_id: str, round_id: str | None = "r", stake: int = 1) -> PayIn:
    return PayIn(*place(player), bet_id, round_id, stake=Decimal(stake))


def pay_out(player: LedgerPlayer, bet_id: str, round_id: str | None = None, win: int = 0) -> PayOut:
    """A pay-out that finishes its round."""
    return PayOut(*place(player), bet_id, round_id, win=Decimal(win), round_finished=True)


def place(player: LedgerPlayer) -> tuple[int, str, int]:
    return player.provider_id, player.session_id, player.account_id


def codes(outcomes: Sequence[Outcome | None]) -> list[int | None]:
    return [None if outcome is None else int(outcome.code) for outcome in outcomes]


def states(world: World, player: LedgerPlayer) -> dict[str, tuple[str, Any]]:
    found = world.rows(
        "select bet_id, state, win from bet where account_id = %s", player.account_id
    )
    return {bet_id: (state, win) for bet_id, state, win in found}


@pytest.fixture
def player(ledger_world: World) -> LedgerPlayer:
    [made] = new_players(ledger_world)
    return made


@pytest.mark.parametrize("round_id", ["r", None])
def test_a_batch_closes_bets_that_it_has_opened_itself(
    ledger_world: World, player: LedgerPlayer, round_id: str | None
) -> None:
    """Also if only the pay-in of the same batch names the round."""
    batch = [
        pay_in(player, "a"),
        pay_in(player, "b"),
        pay_in(player, "c"),
        pay_in(player, "elsewhere", "another"),
        pay_out(player, "a", round_id, 3),
        pay_in(player, "late"),
        PayOut(*place(player), "b", None, win=Decimal(0)),
        PayOut(*place(player), "b", None, win=Decimal(1)),
        pay_out(player, "a", round_id, 3),
    ]

    outcomes = apply(ledger_world, *batch)

    assert codes(outcomes) == [1, 1, 1, 1, 1, 7, 1, 7, 1]
    assert outcomes[8].ids == outcomes[4].ids
    assert states(ledger_world, player) == {
        "a": ("settled", 3),
        "b": ("settled", 0),
        "c": ("settled", 0),
        "elsewhere": ("open", None),
    }
    assert balance_of(ledger_world, player) == 99
    assert codes(apply(ledger_world, *batch)) == codes(outcomes)


def test_bets_that_the_batch_has_loaded_are_the_same_bets_for_the_round(
    ledger_world: World, player: LedgerPlayer
) -> None:
    apply(ledger_world, *[pay_in(player, name) for name in "abcd"])

    outcomes = apply(
        ledger_world,
        PayOut(*place(player), "b", None, win=Decimal(7)),
        Refund(*place(player), "c"),
        pay_out(player, "a"),
        Refund(*place(player), "d"),
        pay_in(player, "b"),
    )

    assert codes(outcomes) == [1, 1, 1, 1, 1]
    found = states(ledger_world, player)
    assert [found[name] for name in "abcd"] == [
        *(("settled", 0), ("settled", 7), ("refunded", None), ("refunded", 0)),
    ]
    assert balance_of(ledger_world, player) == 100 - 4 + 7 + 2


def test_a_round_stays_finished_for_later_batches_and_other_workers(
    ledger_world: World, player: LedgerPlayer
) -> None:
    apply(ledger_world, pay_in(player, "a"), pay_out(player, "a"))

    batch = [
        pay_in(player, "late"),
        player.bet(1, 1, "late", round_id="r"),
        player.bet(0, 1, "prize", round_id="r"),
        pay_in(player, "next", "another"),
    ]

    with ledger_on(ledger_world) as other:
        outcomes = other.apply(batch, in_time, 5)
        beside_an_end = other.apply([*batch, pay_out(player, "a", "r")], in_time, 5)

    assert codes(outcomes) == [7, 7, 1, 1]
    assert codes(beside_an_end) == [7, 7, 1, 1, 1]


def test_a_command_that_is_too_late_finishes_nothing(
    ledger_world: World, player: LedgerPlayer
) -> None:
    apply(ledger_world, pay_in(player, "a"), pay_in(player, "b"))

    outcomes = ledger_world.ledger.apply(
        [pay_out(player, "a"), pay_in(player, "c")], lambda index: index > 0, 5
    )

    assert codes(outcomes) == [None, 1]
    assert {state for state, _ in states(ledger_world, player).values()} == {"open"}


def test_what_is_recorded_is_said_of_a_finished_round_alone(
    ledger_world: World, player: LedgerPlayer
) -> None:
    """Without a reply, a gateway may answer only what needs no write (rule 8)."""
    apply(
        ledger_world,
        pay_in(player, "a"),
        pay_in(player, "b"),
        PayOut(*place(player), "a", None, win=Decimal(0)),
    )
    ending = [pay_out(player, "a"), pay_out(player, "a", "r")]

    with ledger_on(ledger_world) as reader:
        assert reader.recorded(ending) == [None, None]
        outcomes = apply(ledger_world, *ending)
        assert reader.recorded(ending) == outcomes
        assert reader.recorded([pay_in(player, "late")]) == [None]


def test_many_closed_bets_get_ids_of_their_own_and_the_books_are_whole(ledger_world: World) -> None:
    """More than a block has, so that blocks are drawn within the batch."""
    asked = Asked(keys.JOURNAL, keys.OPERATOR)
    before = verify(ledger_world.operator_url, 1000, asked).problems  # of other tests
    players = new_players(ledger_world, "1000", count=ID_BLOCK // CLOSED_MAX + 2)
    for player in players:
        names = [f"{player.account_id} {number}" for number in range(CLOSED_MAX + 1)]
        opened = apply(ledger_world, *[pay_in(player, name) for name in names])
        assert set(codes(opened)) == {1}

    outcomes = apply(ledger_world, *[pay_out(one, f"{one.account_id} 0", win=5) for one in players])

    assert set(codes(outcomes)) == {1}
    for player in players:
        assert {state for state, _ in states(ledger_world, player).values()} == {"settled"}
        assert recorded_rows(ledger_world, player) == (CLOSED_MAX + 1, 2 * (CLOSED_MAX + 1) + 1)
        assert balance_of(ledger_world, player) == 1000 - CLOSED_MAX - 1 + 5
    assert verify(ledger_world.operator_url, 1000, asked).problems == before


def test_workers_at_once_finish_a_round_once_and_lose_no_bet(ledger_world: World) -> None:
    players = new_players(ledger_world, count=3)

    def play(worker: int) -> None:
        with ledger_on(ledger_world) as ledger:
            for number in range(8):
                batch: list[BetCommand] = []
                for player in players:
                    name, round_id = f"{worker} {number} {player.account_id}", f"r{number}"
                    batch += [pay_in(player, name, round_id), pay_out(player, name, round_id)]
                    batch.append(player.bet(0, 0, f"{name} more", round_id=f"r{number + 1}"))
                ledger.apply(batch, in_time, 30)

    with ThreadPoolExecutor(3) as workers:
        list(workers.map(play, range(3)))

    for player in players:
        found = states(ledger_world, player)
        assert {state for state, _ in found.values()} == {"settled"}
        finished = "select count(*) from finished_round where account_id = %s"
        assert ledger_world.rows(finished, player.account_id) == [(8,)]
        balance_of(ledger_world, player)


def test_only_a_command_that_finishes_a_round_costs_another_statement(
    ledger_world: World, player: LedgerPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    run = Pipeline.run

    def counted(self: Pipeline, *sent: Any) -> Any:
        counts.append(len(sent))
        return run(self, *sent)

    def cost(*batch: BetCommand) -> list[int]:
        counts.clear()
        assert set(codes(apply(ledger_world, *batch))) == {1}
        return list(counts)

    apply(ledger_world, player.bet(1, 1))  # ids are drawn
    monkeypatch.setattr(Pipeline, "run", counted)

    without = cost(player.bet(1, 1), player.bet(1, 1, round_id="r1"), pay_in(player, "a", "r1"))
    spin = player.bet(1, 1, round_id="r2", round_finished=True)
    finishing = cost(spin, player.bet(1, 1, round_id="r3"))
    of_no_round = cost(player.bet(1, 1, round_finished=True))

    # Load: BEGIN, its time limit, accounts, sessions, bets, the moment. Write: bets, transfers,
    # accounts, the journal, COMMIT. A finished round: one more to load, and one to write.
    assert without == [6, 5]
    assert finishing == [7, 6]
    assert of_no_round == [7, 5]


def test_a_round_has_an_id_when_the_block_has_just_those_of_its_bet(
    ledger_world: World, player: LedgerPlayer
) -> None:
    """A bet that finishes its round needs one id more than any other."""
    used = [player.bet(0) for _ in range((ID_BLOCK - 4 - _IDS_PER_COMMAND) // _IDS_PER_COMMAND)]
    used_up = [*used, pay_in(player, "x"), pay_in(player, "y")]
    finishing = player.bet(0, round_id="z", round_finished=True)

    with ledger_on(ledger_world) as ledger:
        ledger.apply(used_up, in_time, 60)
        outcomes = ledger.apply([finishing], in_time, 5)

    assert codes(outcomes) == [1]
