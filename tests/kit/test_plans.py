"""What the client does next: repeats, questions and the refund, as PROTOCOL.md tells."""

import itertools
import json
import re
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from betcore_kit import BetAnswer, Code, Outcome, PayIn, PayInOut, PayOut, Refund, Schedule
from betcore_kit.calls import Bet
from betcore_kit.client.hooks import Reply
from betcore_kit.client.plans import Pause, Send, play
from tests.source import ROOT

PAY_IN = PayIn("s", "b", "10")
PAY_OUT = PayOut("s", "b", 5)
BOTH = PayInOut("s", "b", "10", "5")
OWED = PayInOut("s", "b", 0, "5")
QUICK = Schedule(questions=(0.1, 0.2))
NOTHING = Reply()
NO_CONNECTION = Reply(was_sent=False)
SILENCE = itertools.cycle([NOTHING])


def said(code: int, **fields: object) -> Reply:
    """An answer of the wallet."""
    body = json.dumps({"_responseCode": code} | fields).encode()
    return Reply(200 if code == 1 else 402, body, retry_after="2" if code == 99 else "")


def state(name: str, **fields: object) -> Reply:
    """An answer to a question."""
    return said(1, betId="b", state=name, **fields)


def followed(
    bet: Bet, replies: Iterable[Reply], schedule: Schedule = QUICK
) -> tuple[BetAnswer, list[str]]:
    """Follow a plan with these replies; its answer, and the calls and pauses it made."""
    plan = play(bet, schedule)
    made: list[str] = []
    endless = isinstance(replies, itertools.cycle)
    left = iter(replies)
    reply = None
    while True:
        try:
            step = plan.send(reply)
        except StopIteration as end:
            assert endless or list(left) == [], f"only this was done: {made}"
            return end.value, made
        if isinstance(step, Pause):
            made.append(f"{step.seconds:g}")
            reply = None
        else:
            assert isinstance(step, Send)
            made.append(step.call.name)
            reply = next(left)


@pytest.mark.parametrize("code", range(1, 9))
def test_codes_1_to_8_are_final(code: int) -> None:
    answer, made = followed(PAY_IN, [said(code)])

    assert made == ["pay-in"]
    assert answer.code == code
    assert answer.outcome is (Outcome.DONE if code == 1 else Outcome.REFUSED)


@pytest.mark.parametrize(
    "doubt",
    [NOTHING, said(0), said(104), Reply(502, b"<html>"), Reply(200, b"[]"), Reply(200, b'{"a":1}')],
)
def test_a_doubt_is_followed_by_one_repeat_at_once(doubt: Reply) -> None:
    answer, made = followed(PAY_IN, [doubt, said(1, balance=3, betTransactionId="7")])

    assert made == ["pay-in", "pay-in"]
    assert answer == BetAnswer(Outcome.DONE, Code.DONE, Decimal(3), "7")


@pytest.mark.parametrize("code", [2, 8])
def test_a_repeat_that_is_not_read_or_not_believed_says_nothing_about_the_first_request(
    code: int,
) -> None:
    # Such as a secret that was revoked between the two. The first request may have been applied.
    taken = state("open", betAmount=10, betTransactionId="7")

    answer, made = followed(PAY_IN, [NOTHING, said(code), taken])
    unknown, tried = followed(PAY_IN, [NOTHING, *[said(code)] * 5])

    assert made == ["pay-in", "pay-in", "0.1", "bets"]
    assert (answer.outcome, answer.bet_transaction_id) == (Outcome.DONE, "7")
    assert tried == ["pay-in", "pay-in", "0.1", "bets", "0.2", "bets", "refund", "bets"]
    assert unknown.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("code", [9, "4", [], 4.5, True])
def test_a_rejected_bet_without_a_code_that_we_know_is_refused_all_the_same(code: object) -> None:
    told = state("rejected", betAmount=10, refusedWith=code)

    answer, made = followed(PAY_OUT, [NOTHING, NOTHING, told])
    refused, _ = followed(PAY_IN, [NOTHING, NOTHING, told])

    assert made == ["pay-out", "pay-out", "0.1", "bets"]
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, 6)
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, 7)


@pytest.mark.parametrize("refused", [said(99), NO_CONNECTION])
def test_what_was_not_admitted_is_sent_again_after_a_pause_and_is_never_a_doubt(
    refused: Reply,
) -> None:
    answer, made = followed(PAY_IN, [refused, said(1)])
    given_up, tried = followed(PAY_IN, [refused] * 5)

    assert made == ["pay-in", "2" if refused.status else "1", "pay-in"]
    assert answer.ok
    assert given_up.outcome is Outcome.NOT_ADMITTED
    assert tried.count("pay-in") == 1 + QUICK.try_later
    assert "refund" not in tried


def test_a_retry_after_is_waited_for_but_not_for_ever() -> None:
    slow = Reply(503, said(99).body, retry_after="3600")

    _, made = followed(PAY_IN, [slow, said(1)])

    assert made == ["pay-in", "5", "pay-in"]


@pytest.mark.parametrize(
    ("bet", "told", "outcome", "code"),
    [
        (PAY_IN, state("open", betAmount=10), Outcome.DONE, 1),
        (PAY_IN, state("settled", betAmount=10, winAmount=5), Outcome.DONE, 1),
        (PAY_IN, state("open", betAmount=9), Outcome.REFUSED, 7),
        (PAY_IN, state("rejected", betAmount=10, refusedWith=4), Outcome.REFUSED, 4),
        (PAY_IN, state("rejected", betAmount=9, refusedWith=4), Outcome.REFUSED, 7),
        (PAY_IN, state("refunded", betAmount=10), Outcome.REFUSED, 7),
        (PAY_IN, state("cancelled"), Outcome.REFUSED, 7),
        (BOTH, state("settled", betAmount=10, winAmount=5), Outcome.DONE, 1),
        (BOTH, state("settled", betAmount=10, winAmount=6), Outcome.REFUSED, 7),
        (BOTH, state("open", betAmount=10), Outcome.REFUSED, 7),
        (PAY_OUT, state("settled", betAmount=10, winAmount=5), Outcome.DONE, 1),
        (PAY_OUT, state("settled", betAmount=10, winAmount=6), Outcome.REFUSED, 7),
        (PAY_OUT, state("rejected", betAmount=10, refusedWith=4), Outcome.REFUSED, 6),
        (PAY_OUT, state("refunded", betAmount=10), Outcome.REFUSED, 7),
        (Refund("s", "b"), state("refunded", refundTransactionId="9"), Outcome.DONE, 1),
        (Refund("s", "b"), state("cancelled", refundTransactionId="9"), Outcome.DONE, 1),
        (Refund("s", "b"), state("rejected", refundTransactionId="9"), Outcome.DONE, 1),
    ],
)
def test_after_two_doubts_the_state_of_the_bet_decides(
    bet: Bet, told: Reply, outcome: Outcome, code: int
) -> None:
    answer, made = followed(bet, [NOTHING, said(0), told])

    assert made == [bet.kind, bet.kind, "0.1", "bets"]
    assert (answer.outcome, answer.code) == (outcome, code)


def test_a_bet_in_flight_is_asked_about_again() -> None:
    told = [state("in_flight"), state("open", betAmount=10, betTransactionId="7")]

    answer, made = followed(PAY_IN, [NOTHING, NOTHING, *told])

    assert made == ["pay-in", "pay-in", "0.1", "bets", "0.2", "bets"]
    assert answer.bet_transaction_id == "7"


@pytest.mark.parametrize("bet", [PAY_IN, BOTH])
def test_a_stake_without_a_trace_is_refunded_last(bet: Bet) -> None:
    refunded = said(1, balance=8, refundTransactionId="9")

    answer, made = followed(bet, [NOTHING, NOTHING, state("unknown"), refunded])

    assert made == [bet.kind, bet.kind, "0.1", "bets", "refund"]
    assert answer.outcome is Outcome.CANCELLED
    assert (answer.refund_transaction_id, answer.balance) == ("9", Decimal(8))
    assert not answer.ok


@pytest.mark.parametrize("bet", [PAY_OUT, OWED, Refund("s", "b")])
def test_what_is_owed_is_never_refunded_but_sent_again(bet: Bet) -> None:
    answer, made = followed(bet, [NOTHING, NOTHING, state("unknown"), said(1)])
    doubt, tried = followed(bet, [NOTHING, NOTHING, state("unknown"), NOTHING, NOTHING, NOTHING])

    assert made == [bet.kind, bet.kind, "0.1", "bets", bet.kind]
    assert answer.ok
    assert doubt.outcome is Outcome.UNKNOWN
    assert tried[-3:] == [bet.kind, "0.2", "bets"]


def test_a_refund_that_is_refused_leaves_the_bet_standing() -> None:
    spent = [said(7), state("settled", betAmount=10, winAmount=5, winTransactionId="8")]

    answer, _ = followed(BOTH, [NOTHING, NOTHING, state("unknown"), *spent])

    assert answer.ok
    assert answer.win_transaction_id == "8"


@pytest.mark.parametrize("bet", [PAY_IN, PAY_OUT, BOTH, OWED, Refund("s", "b")])
def test_without_any_answer_the_schedule_ends_and_the_outcome_is_unknown(bet: Bet) -> None:
    answer, _ = followed(bet, SILENCE)

    assert answer.outcome is Outcome.UNKNOWN


ANYTHING = [
    *(NOTHING, NO_CONNECTION, said(99), said(0), said(7)),
    *(state("unknown"), state("in_flight"), state("open", betAmount=10)),
]


@given(
    bet=st.sampled_from([PAY_IN, PAY_OUT, BOTH, OWED, Refund("s", "b")]),
    replies=st.lists(st.sampled_from(ANYTHING), min_size=1),
)
def test_whatever_is_answered_nothing_is_sent_beyond_the_schedule(
    bet: Bet, replies: list[Reply]
) -> None:
    _, made = followed(bet, itertools.cycle(replies))

    assert sum(not one[0].isdigit() for one in made) <= QUICK.requests_max()


def test_a_crash_game_refunds_without_a_repeat() -> None:
    crash = Schedule(repeats=0, questions=())

    answer, made = followed(PAY_IN, [NOTHING, said(1, balance=1)], crash)

    assert made == ["pay-in", "refund"]
    assert answer.outcome is Outcome.CANCELLED


def test_a_doubt_before_a_99_stays_a_doubt() -> None:
    replies = [NOTHING, *[said(99)] * 5, state("open", betAmount=10)]

    answer, made = followed(PAY_IN, replies)

    assert answer.ok
    assert made[-1] == "bets"


def numbers(text: str) -> list[float]:
    """The numbers in a text, in their order."""
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", text)]


def row(page: str, begins: str) -> list[str]:
    """The cells of the only row of a table whose first cell begins so."""
    found = re.findall(rf"^\| ({begins}.*) \|$", (ROOT / page).read_text(), re.MULTILINE)
    assert len(found) == 1, found
    return [cell.strip() for cell in found[0].split("|")]


def test_the_client_does_what_the_schedule_of_the_guide_says() -> None:
    """The table "The schedule for an unknown outcome" of docs/PROVIDERS.md, read row by row."""
    guide = "docs/PROVIDERS.md"
    assert row(guide, "at once")[1:] == ["repeat once", "repeat once"]
    after, of_stake, of_owed = row(guide, r"0\.5, ")
    assert of_stake.startswith("ask `GET /v1/bets?betId=…` until")
    assert of_owed == "ask, and repeat while the bet is `open`"
    assert row(guide, "then")[1].startswith("refund")
    asked = [part for pause in numbers(after) for part in (f"{pause:g}", "bets")]

    assert f"Wait {Schedule().timeout:g} s for an answer." in (ROOT / guide).read_text()
    _, made = followed(PAY_IN, SILENCE, Schedule())
    assert made[: made.index("refund")] == ["pay-in", "pay-in", *asked]
    _, made = followed(PAY_OUT, SILENCE, Schedule())
    assert made == ["pay-out", "pay-out", *asked]
    still_open = [NOTHING, NOTHING, *[state("open"), NOTHING, NOTHING] * (len(asked) // 2)]
    _, made = followed(PAY_OUT, still_open, Schedule())
    again = [part for one in asked for part in ([one] if one != "bets" else [one, *made[:2]])]
    assert made == ["pay-out", "pay-out", *again]


def test_the_numbers_of_the_kits_readme_are_those_of_the_schedule() -> None:
    readme, usual = "kit/README.md", Schedule()
    tries, pause = numbers(row(readme, "code 99")[1])
    [timeout] = numbers(row(readme, "code 0, or no answer")[0])[1:]

    assert (tries, pause) == (usual.try_later, usual.retry_after_max)
    assert timeout == usual.timeout
    assert "it repeats once, at once" in row(readme, "code 0, or no answer")[1]
    assert usual.repeats == 1
    assert tuple(numbers(row(readme, "again no answer")[1])) == usual.questions
    _, made = followed(PAY_IN, SILENCE, usual)
    sent = [one for one in made if not one[0].isdigit()]
    paused = sum(float(one) for one in made if one[0].isdigit())
    words = " ".join((ROOT / readme).read_text().split())
    assert (
        f"after {len(sent)} requests and at most {len(sent) * usual.timeout + paused:g} s" in words
    )
