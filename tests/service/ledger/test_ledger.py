"""The ledger on real PostgreSQL: what one batch does, and what it answers about recorded bets."""

import random
from decimal import Decimal
from functools import partial

import pytest

from models.codes import Code
from models.commands import Command
from models.errors import LedgerError
from models.outcome import Outcome
from models.reason import Reason
from tests.service.support.ledger_world import (
    LedgerPlayer,
    apply,
    balance_of,
    in_time,
    ledger_on,
    locked,
    new_players,
    recorded_rows,
    running,
    until_waiting,
)
from tests.service.support.processes import until
from tests.service.support.world import World


def test_a_batch_is_applied_in_order_and_each_outcome_has_the_balance_of_its_moment(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")

    outcomes = apply(
        ledger_world, player.bet(10, 3), player.bet(3), player.bet(1), player.deposit(1)
    )

    assert [outcome.code for outcome in outcomes] == [1, 1, 4, 1]
    assert [outcome.balance for outcome in outcomes] == [3, 0, 0, 1]
    assert balance_of(ledger_world, player) == 1
    assert recorded_rows(ledger_world, player) == (3, 6)


def test_commands_about_one_bet_see_each_other_within_a_batch(ledger_world: World) -> None:
    [player, other] = new_players(ledger_world, "10", 2)

    first, repeat, changed, elsewhere = apply(
        ledger_world,
        player.bet(4, 1, "one"),
        player.bet("4.00", "1.0", "one"),
        player.bet(4, 2, "one"),
        other.bet(4, 1, "one"),
    )

    assert (first.code, repeat, changed, elsewhere) == (
        1,
        first,
        Outcome(Code.BET_CONFLICT, Decimal(7)),
        Outcome(Code.BET_CONFLICT, Decimal(10)),
    )
    assert recorded_rows(ledger_world, player) == (1, 3)
    assert recorded_rows(ledger_world, other) == (0, 1)


def test_a_refusal_is_repeated_for_ever_whatever_the_balance_is_by_then(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "1")
    too_much = player.bet(2, 5)

    in_one_batch = apply(ledger_world, too_much, player.deposit(10), too_much)
    later = apply(ledger_world, too_much, player.bet(2, 4, too_much.bet_id))

    assert in_one_batch[0] == Outcome(Code.INSUFFICIENT_FUNDS, Decimal(1))
    assert in_one_batch[2] == Outcome(Code.INSUFFICIENT_FUNDS, Decimal(11))
    refused = (Code.INSUFFICIENT_FUNDS, Code.BET_CONFLICT)
    assert later == [Outcome(code, Decimal(11)) for code in refused]
    assert balance_of(ledger_world, player) == 11
    assert recorded_rows(ledger_world, player) == (1, 2)


def test_a_stake_is_not_taken_when_its_win_cannot_be_paid(ledger_world: World) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    unpayable = player.bet(5, Decimal(10) ** 15)

    with pytest.raises(LedgerError, match="22003"):
        apply(ledger_world, other.bet(1), unpayable, player.bet(1))

    assert balance_of(ledger_world, player) == 10
    assert balance_of(ledger_world, other) == 10
    assert recorded_rows(ledger_world, player) == recorded_rows(ledger_world, other) == (0, 1)


def test_a_rejected_bet_is_recorded_whole_and_moves_nothing(ledger_world: World) -> None:
    [player] = new_players(ledger_world, "1")

    apply(ledger_world, player.bet("2.5", 5, "no", round_id="r", odd=Decimal("1.25")))

    bet = ledger_world.rows(
        "select state, opened_by, stake, win, odd, round_id, session_id, refused_with from bet"
        " where provider_id = %s and bet_id = 'no'",
        player.provider_id,
    )
    amounts = (Decimal("2.5"), Decimal(5), Decimal("1.25"))
    assert bet == [("rejected", "pay_in_out", *amounts, "r", player.session_id, 4)]
    assert recorded_rows(ledger_world, player) == (1, 1)


def test_a_session_of_another_player_or_provider_or_of_nobody_is_3_and_not_recorded(
    ledger_world: World,
) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    [stranger] = new_players(ledger_world, "10")

    outcomes = apply(
        ledger_world,
        player.bet(1, session_id=other.session_id),
        player.bet(1, session_id=stranger.session_id),
        stranger.bet(1, provider_id=player.provider_id),
        player.bet(1, session_id="nobody's"),
        player.bet(1, account_id=2**62),
    )

    assert [outcome.code for outcome in outcomes] == [3] * 5
    for one in (player, other, stranger):
        assert recorded_rows(ledger_world, one) == (0, 1)


def test_text_of_any_kind_is_kept_as_it_came(ledger_world: World) -> None:
    [player] = new_players(ledger_world)
    texts = ['{"a",b}', "\\", '\\"', "NULL", "null", " ", "''; --", "🎲", "﷽", "x" * 128, "%s $1"]

    first = apply(ledger_world, *[player.bet(1, 0, text, round_id=text) for text in texts])
    again = apply(ledger_world, *[player.bet(1, 0, text) for text in texts])

    assert [outcome.ids for outcome in again] == [outcome.ids for outcome in first]
    kept = "select bet_id, round_id from bet where account_id = %s order by id"
    assert ledger_world.rows(kept, player.account_id) == [(text, text) for text in texts]


def test_ids_are_unique_and_come_in_blocks_of_each_ledgers_own(ledger_world: World) -> None:
    [left, right] = new_players(ledger_world, "1000", 2)
    before = ledger_world.rows("select last_value from ledger_ids")[0][0]

    with ledger_on(ledger_world) as one, ledger_on(ledger_world) as two:
        for _ in range(12):
            one.apply([left.bet(1) for _ in range(32)], in_time, 5)
            two.apply([right.bet(1) for _ in range(32)], in_time, 5)

    ids = "select id from bet where account_id = {0} union all"
    ids += " select id from transfer where account = {0} and kind <> 'deposit'"
    of_left, of_right = (
        [row[0] for row in ledger_world.rows(ids.format(player.account_id))]
        for player in (left, right)
    )
    assert len({*of_left, *of_right}) == 2 * 12 * 32 * 3
    blocks_left, blocks_right = ({id_ // 1000 for id_ in of} for of in (of_left, of_right))
    assert not blocks_left & blocks_right
    assert len(blocks_left) == len(blocks_right) == 2
    assert min(of_left + of_right) >= before


def test_a_command_past_its_deadline_leaves_nothing_and_the_others_are_applied(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    batch: list[Command] = [player.bet(1), player.bet(2), player.deposit(100), player.bet(4)]

    outcomes = ledger_world.ledger.apply(batch, lambda index: index in (0, 3), 5)

    assert [outcome and outcome.balance for outcome in outcomes] == [9, None, None, 5]
    assert balance_of(ledger_world, player) == 5
    assert recorded_rows(ledger_world, player) == (2, 5)
    assert ledger_world.ledger.recorded(batch[1:3]) == [None, None]


def test_whether_there_is_time_is_asked_after_the_wait_for_the_players_lock(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    passed: list[int] = []
    apply_one = partial(ledger_world.ledger.apply, [player.bet(1)], lambda _: not passed, 5)

    with locked(ledger_world, player.account_id) as other, running(apply_one) as outcomes:
        until_waiting(ledger_world)
        passed.append(1)
        other.rollback()

    assert outcomes.result() == [None]
    assert recorded_rows(ledger_world, player) == (0, 1)


def test_a_session_that_expires_while_its_player_is_locked_takes_no_new_bet(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    in_a_moment = "update session set expires_at = clock_timestamp() + interval '0.3 s'"
    ledger_world.execute(f"{in_a_moment} where id = %s", player.session_id)
    expired = "select expires_at <= clock_timestamp() from session where id = %s"
    bet = player.bet(1)

    apply_one = partial(ledger_world.ledger.apply, [bet, player.bet(1)], in_time, 5)
    with locked(ledger_world, player.account_id) as other, running(apply_one) as outcomes:
        until_waiting(ledger_world)
        assert ledger_world.rows(expired, player.session_id) == [(False,)]
        until(lambda: ledger_world.rows(expired, player.session_id) == [(True,)])
        other.rollback()

    assert (
        outcomes.result()
        == [Outcome(Code.SESSION_CLOSED, Decimal(10), reason=Reason.SESSION_EXPIRED)] * 2
    )
    assert ledger_world.ledger.recorded([bet]) == [None]
    assert recorded_rows(ledger_world, player) == (0, 1)


def test_a_closed_session_takes_no_new_bet_and_still_answers_for_its_old_ones(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    old = player.bet(1, 2)
    [first] = apply(ledger_world, old)

    ledger_world.execute("update session set closed_at = now() where id = %s", player.session_id)

    assert apply(ledger_world, old, player.bet(1)) == [
        first,
        Outcome(Code.SESSION_CLOSED, Decimal(11), reason=Reason.SESSION_CLOSED),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_random_batches_do_what_a_small_model_says(ledger_world: World, seed: int) -> None:
    rng = random.Random(seed)
    players = new_players(ledger_world, "20", 3)
    balances = {player.account_id: Decimal(20) for player in players}
    bets: dict[str, tuple[LedgerPlayer, int, int, int]] = {}

    for _ in range(12):
        batch: list[Command] = []
        expected = []
        for _ in range(rng.randint(1, 32)):
            player, name = rng.choice(players), f"bet {rng.randrange(40)}"
            stake, win = rng.randrange(9), rng.randrange(8)
            batch.append(player.bet(stake, win, name))
            if name not in bets:
                code = 1 if stake <= balances[player.account_id] else 4
                bets[name] = (player, stake, win, code)
                balances[player.account_id] += win - stake if code == 1 else 0
            known = bets[name]
            same = known[:3] == (player, stake, win)
            expected.append((known[3] if same else 7, balances[player.account_id]))

        outcomes = apply(ledger_world, *batch)

        assert [(outcome.code, outcome.balance) for outcome in outcomes] == expected
    for player in players:
        assert balance_of(ledger_world, player) == balances[player.account_id]
