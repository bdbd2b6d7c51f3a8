"""The oracle: every rule of the protocol that a crash could break, asked of the evidence.

It is written from PROTOCOL.md and shares no rule with the product; but for the last one, which
asks the product itself.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.crash import (
    oracle_bets,
    oracle_limits,
    oracle_order,
    oracle_quiet,
    oracle_rounds,
    oracle_times,
)
from tests.crash.evidence import Ask, Evidence
from tests.crash.finding import Finding

Rule = Callable[[Evidence], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    oracle_bets.a_yes_has_its_transfers,
    oracle_bets.a_no_has_none,
    oracle_bets.a_bet_happens_once,
    oracle_bets.a_bet_is_whole,
    oracle_bets.not_admitted_did_nothing,
    oracle_bets.the_status_tells_which,
    oracle_rounds.a_finished_round_is_over,
    oracle_limits.no_limit_of_wins_is_passed,
    oracle_times.nothing_is_late,
    oracle_times.no_pay_in_follows_its_tombstone,
    oracle_times.a_clock_may_be_thirty_seconds_off,
    oracle_times.a_nonce_is_accepted_once,
    oracle_order.transfers_are_in_an_order_that_was_seen,
    oracle_order.an_answer_has_a_balance_of_its_moment,
    oracle_order.chains_are_whole,
    oracle_quiet.no_job_is_left,
    oracle_quiet.no_player_is_held,
    oracle_quiet.no_job_fails,
    oracle_quiet.nothing_stands_still,
    oracle_quiet.answers_have_a_form,
    oracle_quiet.the_ledger_verifies,
)


@dataclass(frozen=True)
class Violation:
    """A rule that was broken; `lines` are those of the record it is about."""

    rule: str
    bet: str
    what: str
    lines: tuple[int, ...]

    def __str__(self) -> str:
        about = f"{self.bet}: " if self.bet else ""
        lines = f" (lines {', '.join(map(str, self.lines))})" if self.lines else ""
        return f"{self.rule}: {about}{self.what}{lines}"


def judge(evidence: Evidence, rules: Iterable[Rule] = RULES) -> list[Violation]:
    """Every violation of every rule."""
    return [
        Violation(rule.__name__, found.bet, found.what, _lines(found.asks))
        for rule in rules
        for found in rule(evidence)
    ]


def _lines(asks: Iterable[Ask]) -> tuple[int, ...]:
    return tuple(ask.line for ask in asks)
