"""Rejected bets have no transfer. Tampering with them is detected and named all the same."""

from models.commands import Refund
from tests.service.audit.audited_ledger import select
from tests.service.support.journaled_ledger import UNKNOWN, bet, ledger_of, problems
from tests.service.support.ledger_copy import LedgerCopy

BET_EDITED = "Rejected bet {} was edited: it is not as row 2 of journal strand S has it."


def test_a_rejected_bet_that_was_edited_in_any_column_is_named(audited: LedgerCopy) -> None:
    [(bet,)] = select(audited, "select id from bet where state = 'rejected'")
    for change in (
        "stake = stake - 1",
        "win = 1",
        "odd = 1",
        "refused_with = 4, reason = null",
        "reason = 'player_blocked'",
        "bet_id = 'another'",
        "round_id = null",
        "session_id = 'another'",
        "account_id = 4",
        "provider_id = 2",
        "opened_by = 'pay_in_out'",
        "created_at = created_at - interval '1 microsecond'",
        "state = 'open', refused_with = null, reason = null",
    ):
        damage = f"update bet set {change} where id = {bet}"  # noqa: S608
        with audited.damaged("bet", damage):
            found = problems(audited)
        assert BET_EDITED.format(bet) in found, (change, found)


def test_a_rejected_bet_that_was_deleted_or_inserted_is_named(audited: LedgerCopy) -> None:
    [(bet,)] = select(audited, "select id from bet where state = 'rejected'")
    audited.damage(
        "insert into bet select id + 500, provider_id, 'inserted', account_id, session_id,"
        " round_id, opened_by, state, stake, win, odd, refused_with from bet"
        " where state = 'rejected'",
        f"delete from bet where id = {bet}",  # noqa: S608
    )

    assert problems(audited) == [
        f"Rejected bet {bet} was deleted: row 2 of journal strand S has it.",
        UNKNOWN.replace("Transfer", "Rejected bet").format(bet + 500),
    ]


def test_a_batch_vouches_for_the_bets_that_it_rejects_with_or_without_transfers(
    journaled: LedgerCopy,
) -> None:
    with ledger_of(journaled) as ledger:
        ledger.apply([bet("alone", "100000")], lambda _: True, 5)
        ledger.apply([bet("taken"), bet("too much", "100000")], lambda _: True, 5)
        ledger.apply([bet("alone", "100000")], lambda _: True, 5)  # a repeat, recorded already

    rows = select(
        journaled,
        "select cardinality(transfers), cardinality(bets) from journal where bets is not null"
        " order by number",
    )
    assert rows == [(0, 1), (2, 1)]
    assert problems(journaled) == []


def test_the_refund_of_a_rejected_bet_changes_nothing_that_was_vouched_for(
    audited: LedgerCopy,
) -> None:
    [row] = select(
        audited, "select session_id, account_id, bet_id from bet where state = 'rejected'"
    )
    session, account, bet_id = row
    with ledger_of(audited) as ledger:
        [outcome] = ledger.apply([Refund(1, session, account, bet_id, None)], lambda _: True, 5)

    assert outcome is not None
    assert outcome.code == 1
    assert problems(audited) == []
