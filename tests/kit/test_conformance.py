"""Conformance passes a wallet that keeps its promises, and turns red on each fault."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from betcore_kit.conformance.case import CATEGORIES
from betcore_kit.conformance.runner import Report, Verdict, chosen, run
from betcore_kit.conformance.sandbox import SandboxSite
from tests.kit import reference_server, reference_wallet
from tests.kit.reference_server import Reference, serving

#: Each fault, and the case that is about it.
SEEN_BY = {
    "repeat_applied_twice": "idempotency/a_repeated_pay_in_moves_nothing",
    "float_balance": "exactness/amounts_never_go_through_binary_floats",
    "late_pay_out_refused": "sessions/a_win_is_paid_after_the_session_expired",
    "unknown_refund_refused": "refunds/a_refund_of_an_unknown_bet_is_1",
    "win_before_stake": "order/the_stake_is_covered_before_the_win_is_added",
    "no_balance_in_4": "limits/insufficient_funds_tells_the_balance",
    "tombstone_ignored": "refunds/a_tombstone_closes_its_bet_for_ever",
    "refusal_not_kept": "idempotency/a_refusal_for_money_is_kept_for_ever",
    "refund_keeps_the_win": "refunds/a_refund_takes_a_win_back",
    "minimum_applies_to_0": "limits/the_minimum_does_not_apply_to_a_stake_of_0",
    "bet_ids_shared": "idempotency/bet_ids_are_a_providers_own",
    "round_ignored": "idempotency/another_round_is_a_conflict",
    "8_for_unknown_session": "sessions/an_unknown_session_is_3",
    "new_id_for_a_repeat": "idempotency/a_repeated_pay_out_pays_nothing",
    "pay_out_twice": "idempotency/another_win_is_a_conflict",
    "spent_win_taken_back": "refunds/a_win_that_is_spent_cannot_be_taken_back",
    "upper_case_accepted": "authentication/an_upper_case_signature_is_refused",
    "no_nonce_check": "authentication/a_nonce_serves_one_request",
    "nonce_of_strangers": "authentication/a_stranger_uses_up_no_nonce",
    "status_200": "errors/an_unknown_path_is_404",
    "body_reserialised": "authentication/the_exact_bytes_are_verified",
    "decoded_secret_accepted": "authentication/a_decoded_secret_is_no_key",
    "never_expires": "timing/an_expired_request_is_refused",
    "not_one_at_a_time": "concurrency/a_balance_is_not_spent_twice",
    "rounded": "exactness/too_many_decimals_is_refused",
    "html_404": "errors/an_unknown_path_is_404",
    "last_key_wins": "exactness/a_key_given_twice_is_refused",
    "claims_ignored": "sessions/a_false_session_is_refused",
    "round_left_open": "order/a_pay_out_may_finish_its_round",
    "finished_round_takes_stakes": "order/a_finished_round_takes_no_stake",
    "page_overlaps": "order/the_bets_of_a_round_are_listed",
    "query_unread": "errors/the_state_of_a_bet_has_every_field",
}


def conformance(url: str, *only: str) -> Report:
    """Run cases against a wallet with a sandbox."""

    async def make_site(http: httpx.AsyncClient) -> SandboxSite:
        return await SandboxSite.new(url, http)

    return asyncio.run(run(url, make_site, chosen(only)))


def told(report: Report, verdict: Verdict) -> Sequence[str]:
    """The cases with a verdict, and why."""
    found = [one for one in report.results if one.verdict is verdict]
    return [f"{one.case.id}: {one.reason}" for one in found]


def test_a_wallet_that_keeps_its_promises_passes_every_case() -> None:
    with serving(Reference()) as url:
        report = conformance(url)

    assert told(report, Verdict.FAILED) == []
    assert told(report, Verdict.SKIPPED) == []
    assert report.ok
    assert {one.case.category for one in report.results} == set(CATEGORIES)


def test_every_fault_has_its_case_and_there_are_at_least_15() -> None:
    assert set(SEEN_BY) == {*reference_wallet.FAULTS, *reference_server.FAULTS}
    assert len(SEEN_BY) >= 15


@pytest.mark.parametrize("fault", SEEN_BY)
def test_a_fault_turns_the_case_red_that_is_about_it(fault: str) -> None:
    with serving(Reference(fault)) as url:
        report = conformance(url, SEEN_BY[fault])

    [result] = report.results
    assert result.verdict is Verdict.FAILED, f"{fault}: {result.verdict} {result.reason}"
    assert not report.ok
    assert result.exchanges


def test_there_are_at_least_100_promises_each_in_a_sentence_of_its_own() -> None:
    cases = chosen(())

    assert len(cases) >= 100
    assert len({one.id for one in cases}) == len({one.promise for one in cases}) == len(cases)
    for one in cases:
        assert one.promise.endswith("."), one.id
        assert one.rule, one.id
