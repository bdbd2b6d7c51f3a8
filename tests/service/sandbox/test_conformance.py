"""The real installation keeps every promise that `betcore-kit conformance` checks."""

import asyncio

import httpx

from betcore_kit.conformance.reports import as_text
from betcore_kit.conformance.runner import Verdict, chosen, run
from betcore_kit.conformance.sandbox import SandboxSite
from tests.service.sandbox.newcomer import Sandbox


def test_the_wallet_keeps_every_promise_of_the_protocol(sandbox: Sandbox) -> None:
    async def make_site(http: httpx.AsyncClient) -> SandboxSite:
        return await SandboxSite.new(sandbox.wallet, http)

    report = asyncio.run(run(sandbox.wallet, make_site, chosen(())))

    assert report.ok, as_text(report)
    assert not report.counts[Verdict.SKIPPED], as_text(report)
