"""The simulated provider: its books equal those of a wallet that keeps its promises."""

import asyncio

import httpx
import pytest

from betcore_kit.conformance.sandbox import SandboxSite
from betcore_kit.simulate.runner import Plan, Report, simulate
from tests.kit.reference_server import Reference, serving

PLAN = Plan(players=5, rounds=150, rate=1000.0, seed=7, lost=0.1)


def played(url: str, plan: Plan = PLAN) -> Report:
    """What a simulation against a wallet with a sandbox reports."""

    async def run() -> Report:
        async with httpx.AsyncClient(timeout=60) as http:
            return await simulate(url, await SandboxSite.new(url, http), plan)

    return asyncio.run(run())


def test_the_books_are_equal_with_every_kind_of_round_and_fault() -> None:
    with serving(Reference()) as url:
        report = played(url)

    assert report.differences == []
    assert report.ok
    kinds = ("slots", "crash", "poker", "jackpot", "refund of nothing", "forgery")
    assert sum(report.counts[f"rounds of {kind}"] for kind in kinds) == PLAN.rounds
    for what in (
        *("answers lost", "refunds", "refunds of bets that never came", "wrong signatures"),
        "late repeats with a new session",
    ):
        assert report.counts[what], what


@pytest.mark.parametrize("fault", ["repeat_applied_twice", "round_left_open"])
def test_the_books_differ_if_the_wallet_breaks_a_promise(fault: str) -> None:
    with serving(Reference(fault)) as url:
        report = played(url)

    assert not report.ok
    assert report.differences
