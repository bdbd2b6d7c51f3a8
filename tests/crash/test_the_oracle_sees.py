"""Each rule of the oracle detects its own violation in a campaign, and no other rule does."""

from decimal import Decimal

import pytest

from tests.crash.doctored import PROVIDER
from tests.crash.oracle import RULES, judge
from tests.crash.wrongs import WRONGS, Wrong, a_story


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert judge(a_story().evidence) == []


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.__name__)
def test_one_wrong_makes_its_rule_speak(wrong: Wrong) -> None:
    story = a_story()

    wrong(story)

    assert {found.rule for found in judge(story.evidence)} == {WRONGS[wrong]}


def test_every_rule_has_a_wrong_that_it_sees() -> None:
    assert {rule.__name__ for rule in RULES} == set(WRONGS.values())


def test_a_violation_names_its_rule_its_bet_and_the_lines_of_the_record() -> None:
    story = a_story()
    story.evidence.asks[1].answer["balance"] = "77"

    (found,) = judge(story.evidence)

    assert str(found) == (
        "an_answer_has_a_balance_of_its_moment: open: it says 77, which was not the balance then"
        " (lines 4)"
    )


def test_a_win_that_came_too_early_may_be_refused_and_paid_when_asked_again() -> None:
    story = a_story()
    story.ask("pay-out", "won", 6, win="3")
    story.open("won", "2")
    ask = story.ask("pay-out", "won", 1, win="3")
    row = story.row("won")
    row.state, row.win, row.odd = "settled", Decimal(3), Decimal(ask.mark)
    story.give(ask, story.add("win", "3", "won"))

    assert judge(story.evidence) == []


def test_a_prize_may_be_refused_for_a_limit_of_wins_where_there_is_one() -> None:
    story = a_story()
    ask = story.ask("pay-in-out", "prize", 5, stake="0.00", win="0.49")
    ask.answer["reason"] = "win_above_daily_limit"

    assert [found.rule for found in judge(story.evidence)] == ["a_no_has_none"]
    story.evidence.limits[999] = (Decimal(3), Decimal(4))
    assert judge(story.evidence) == []


def test_a_job_that_was_too_late_has_not_failed_of_itself() -> None:
    story = a_story()
    story.evidence.failures["rq:job:7-aa"] = "DeadlineExpired: too late."

    assert judge(story.evidence) == []


def test_a_redis_that_lost_its_data_may_admit_a_request_stamped_ahead_again() -> None:
    story = a_story()
    first = story.evidence.asks[0]
    first.stamp += 20_000
    loss = {"what": "fault", "name": "", "trouble": "", "broke": first.answered + 0.1}
    loss |= {"back": first.answered + 0.2, "faults": [{"kind": "empty", "target": "valkey"}]}
    story.evidence.events.append(loss)
    again = story.ask("balance", "", 1, provider=PROVIDER)
    again.nonce, again.stamp = first.nonce, first.stamp

    assert judge(story.evidence) == []


def test_what_was_asked_before_a_loss_and_answered_after_it_was_admitted_by_either_redis() -> None:
    story = a_story()
    first = story.evidence.asks[0]
    first.stamp += 20_000
    loss = {"what": "fault", "name": "", "trouble": "", "broke": first.at + 0.1}
    loss |= {"back": first.at + 0.2}
    loss |= {"faults": [{"kind": "forget an admission", "target": "gateway-1 > valkey"}]}
    story.evidence.events.append(loss)
    again = story.ask("balance", "", 1, provider=PROVIDER)
    again.nonce, again.stamp = first.nonce, first.stamp

    assert judge(story.evidence) == []
