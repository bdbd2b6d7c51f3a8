"""A campaign without any violation, and every way to make one thing wrong in it."""

from collections.abc import Callable
from decimal import Decimal

from tests.crash.doctored import BEGAN, Story

HOUSE = 3  # an account
Wrong = Callable[[Story], object]


def a_story() -> Story:
    """A campaign in which nothing is wrong: a bet of every fate."""
    story = Story()
    story.settle("settled", "5", "3")
    story.open("open", "2")
    story.close("closed")
    story.record(story.ask("pay-in-out", "refused", 4, stake="1000", win="0"), "rejected")
    story.ask("pay-in", "not admitted", 99, stake="1")
    story.ask("pay-in", "lost", 0, stake="1")
    story.ask("pay-in", "silent", None, stake="1")
    return story


def a_transfer_is_gone(story: Story) -> None:
    story.move("settled", "win").id += 1000


def the_amount_is_another(story: Story) -> None:
    story.evidence.asks[0].stake = "6"


def a_refused_bet_is_taken(story: Story) -> None:
    story.row("refused").state = "open"
    story.row("refused").stake = Decimal(1)
    story.add("stake", "1", "refused")


def a_conflict_is_done_as_asked(story: Story) -> None:
    """It names no round: with another one, 7 would be right."""
    story.ask("pay-in", "open", 7, stake="2", body="{}")


def a_refused_win_is_paid(story: Story) -> None:
    """It came before its pay-in, was refused, and done all the same."""
    ask = story.ask("pay-out", "won", 6, win="3")
    story.open("won", "2")
    row = story.row("won")
    row.state, row.win, row.odd = "settled", Decimal(3), Decimal(ask.mark)
    story.add("win", "3", "won")


def an_owed_win_is_refused(story: Story) -> None:
    story.ask("pay-out", "open", 6, win="3")


def an_owed_win_is_a_conflict(story: Story) -> None:
    story.ask("pay-out", "open", 7, win="3")


def a_win_above_a_limit_is_refused_and_paid(story: Story) -> None:
    story.open("big", "2")
    ask = story.ask("pay-out", "big", 5, win="3")
    row = story.row("big")
    row.state, row.win, row.odd = "settled", Decimal(3), Decimal(ask.mark)
    story.add("win", "3", "big")


def a_win_is_above_its_limit(story: Story) -> None:
    story.evidence.limits[HOUSE] = (Decimal(2), Decimal(100))
    story.move("settled", "win").other = HOUSE


def the_wins_of_a_day_are_above_their_limit(story: Story) -> None:
    story.evidence.limits[HOUSE] = (Decimal(3), Decimal(4))
    story.settle("another", "1", "2")
    for bet in ("settled", "another"):
        story.move(bet, "win").other = HOUSE


def a_prize_is_refused(story: Story) -> None:
    story.ask("pay-in-out", "prize", 3, stake="0.00", win="70")


def another_round_is_played(story: Story) -> None:
    first = story.evidence.asks[0]
    again = story.ask("pay-in-out", "settled", 1, stake="5", win="3")
    again.answer |= {name: id_ for name, id_ in first.answer.items() if name.endswith("Id")}


def a_round_is_finished(story: Story, bet: str, round_: str) -> None:
    """A pay-in-out ends a round, as it should be."""
    ask = story.settle(bet, "1", "2")
    ask.body = f'{{"gameRoundId": "{round_}", "roundFinished": true, "winOdd": "{ask.n}"}}'
    story.row(bet).round = round_


def a_bet_of_a_finished_round_is_open(story: Story) -> None:
    a_round_is_finished(story, "last", story.row("open").round or "")


def a_finished_round_takes_a_stake(story: Story) -> None:
    a_round_is_finished(story, "last", "round of last")
    late = story.settle("late", "1", "2")
    late.body = f'{{"gameRoundId": "round of last", "winOdd": "{late.n}"}}'
    story.row("late").round = "round of last"


def a_bet_is_recorded_twice(story: Story) -> None:
    row = story.row("refused")
    again = story.record(story.evidence.asks[3], "rejected")
    again.bet = row.bet


def a_win_is_missing(story: Story) -> None:
    """The bet was never acknowledged: nothing but its own rows can tell."""
    ask = story.ask("pay-in-out", "half", None, stake="1", win="4")
    story.record(ask, "settled")
    story.add("stake", "1", "half")


def a_rejected_request_is_recorded(story: Story) -> None:
    ask = next(ask for ask in story.evidence.asks if ask.code == 99)
    story.record(ask, "open")
    story.add("stake", "1", ask.bet)


def a_status_is_untrue(story: Story) -> None:
    story.evidence.events.append({"what": "quiet", "at": BEGAN})
    ask = story.ask("status", "lost", 1)
    ids = dict.fromkeys(("betTransactionId", "winTransactionId", "refundTransactionId"))
    ask.answer |= {"state": "settled", **ids}


def a_commit_is_late(story: Story) -> None:
    ask = story.ask("pay-in", "late", None, stake="1")
    story.record(ask, "open")
    story.add("stake", "1", "late").committed += 9


def a_closed_bet_is_taken(story: Story) -> None:
    ask = story.ask("pay-in", "closed", None, stake="1")
    row = story.row("closed")
    row.state, row.opened_by, row.stake = "refunded", "pay_in", Decimal(0)
    story.add("stake", "0", ask.bet)


def an_old_stamp_is_believed(story: Story) -> None:
    story.evidence.asks[0].stamp -= 31_000


def a_good_stamp_is_refused(story: Story) -> None:
    story.ask("pay-in", "", 8, stake="1")


def a_nonce_is_believed_twice(story: Story) -> None:
    story.ask("balance", "", 1).nonce = story.evidence.asks[0].nonce


def a_later_bet_is_first(story: Story) -> None:
    story.settle("known", "0", "0")
    story.settle("asked after that", "0", "0")
    for kind in ("stake", "win"):
        story.move("known", kind).seq += 2
        story.move("asked after that", kind).seq -= 2
    story.evidence.transfers.sort(key=lambda move: move.seq)


def a_balance_is_of_another_day(story: Story) -> None:
    story.evidence.asks[1].answer["balance"] = "77"


def a_covered_stake_is_refused(story: Story) -> None:
    ask = story.ask("pay-in", "poor", 4, stake="1")
    story.record(ask, "rejected")
    ask.answer["balance"] = str(story.evidence.transfers[-1].balance)


def a_chain_has_a_gap(story: Story) -> None:
    balance, seq = story.evidence.accounts[7]
    story.evidence.accounts[7] = (balance, seq + 1)


def a_job_is_stranded(story: Story) -> None:
    story.evidence.jobs["rq:job:7-aa"] = "started"


def a_job_is_on_the_way(story: Story) -> None:
    story.evidence.keys.append("rq:queue:bets:intermediate")


def a_lease_is_left(story: Story) -> None:
    story.evidence.keys.append("betcore:leases")


def a_player_is_held(story: Story) -> None:
    story.evidence.held["7"] = "group-aa"


def a_job_is_poisoned(story: Story) -> None:
    story.evidence.failures["rq:job:7-aa"] = "BetTaken: somebody has its ids"


def the_journal_is_broken(story: Story) -> None:
    story.evidence.problems.append("transfer 101 is in no row of the journal")


def nobody_came_back(story: Story) -> None:
    fault = {"what": "fault", "name": "kill (worker-1)", "trouble": "stands still", "faults": []}
    story.evidence.events.append(fault)


def a_client_never_knew(story: Story) -> None:
    story.evidence.events.append({"what": "unresolved", "bet": "silent"})


def a_status_line_is_another(story: Story) -> None:
    story.evidence.asks[0].status = 201


def an_answer_is_no_json(story: Story) -> None:
    ask = story.ask("balance", "", 1)
    ask.answer = "Internal Server Error"
    ask.status = 500


WRONGS: dict[Wrong, str] = {
    a_transfer_is_gone: "a_yes_has_its_transfers",
    the_amount_is_another: "a_yes_has_its_transfers",
    a_refused_bet_is_taken: "a_no_has_none",
    a_conflict_is_done_as_asked: "a_no_has_none",
    a_refused_win_is_paid: "a_no_has_none",
    an_owed_win_is_refused: "a_no_has_none",
    an_owed_win_is_a_conflict: "a_no_has_none",
    a_win_above_a_limit_is_refused_and_paid: "a_no_has_none",
    a_win_is_above_its_limit: "no_limit_of_wins_is_passed",
    the_wins_of_a_day_are_above_their_limit: "no_limit_of_wins_is_passed",
    a_prize_is_refused: "a_no_has_none",
    another_round_is_played: "a_yes_has_its_transfers",
    a_bet_of_a_finished_round_is_open: "a_finished_round_is_over",
    a_finished_round_takes_a_stake: "a_finished_round_is_over",
    a_bet_is_recorded_twice: "a_bet_happens_once",
    a_win_is_missing: "a_bet_is_whole",
    a_rejected_request_is_recorded: "not_admitted_did_nothing",
    a_status_is_untrue: "the_status_tells_which",
    a_commit_is_late: "nothing_is_late",
    a_closed_bet_is_taken: "no_pay_in_follows_its_tombstone",
    an_old_stamp_is_believed: "a_clock_may_be_thirty_seconds_off",
    a_good_stamp_is_refused: "a_clock_may_be_thirty_seconds_off",
    a_nonce_is_believed_twice: "a_nonce_is_accepted_once",
    a_later_bet_is_first: "transfers_are_in_an_order_that_was_seen",
    a_balance_is_of_another_day: "an_answer_has_a_balance_of_its_moment",
    a_covered_stake_is_refused: "an_answer_has_a_balance_of_its_moment",
    a_chain_has_a_gap: "chains_are_whole",
    a_job_is_stranded: "no_job_is_left",
    a_job_is_on_the_way: "no_job_is_left",
    a_lease_is_left: "no_player_is_held",
    a_player_is_held: "no_player_is_held",
    a_job_is_poisoned: "no_job_fails",
    the_journal_is_broken: "the_ledger_verifies",
    nobody_came_back: "nothing_stands_still",
    a_client_never_knew: "nothing_stands_still",
    a_status_line_is_another: "answers_have_a_form",
    an_answer_is_no_json: "answers_have_a_form",
}
