"""How conformance waits: for a wallet that has just started, and after code 99."""

import asyncio
from collections.abc import Callable, Sequence

import httpx
import pytest

from betcore_kit.conformance import runner
from betcore_kit.conformance.config import ConfigSite
from betcore_kit.conformance.runner import Report, chosen, run
from betcore_kit.conformance.site import Site
from betcore_kit.conformance.wire import Wire

SITE = {
    "provider": {"counterparty_id": "a", "secret": "b"},
    "session": [{"kind": "play", "id": "s"}],
}
BUSY = httpx.Response(503, json={"_responseCode": 99}, headers={"Retry-After": "0"})
Answer = Callable[[httpx.Request], httpx.Response]


def answering(answers: Sequence[httpx.Response], seen: list[httpx.Request]) -> httpx.MockTransport:
    """A wallet that gives these answers, and the last one for ever."""

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    return httpx.MockTransport(answer)


def test_what_was_not_admitted_is_sent_again_as_it_is() -> None:
    seen: list[httpx.Request] = []

    async def ask() -> int | None:
        done = httpx.Response(200, json={"_responseCode": 1})
        async with httpx.AsyncClient(transport=answering([BUSY, BUSY, done], seen)) as http:
            return (await Wire("http://wallet.test", http).send("POST", "/x", b"{}")).code

    assert asyncio.run(ask()) == 1
    assert len(seen) == 3
    assert len({(one.content, str(one.headers)) for one in seen}) == 1


def test_a_run_waits_until_the_wallet_knows_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx.Request] = []
    flying = httpx.Response(200, json={"_responseCode": 1, "state": "in_flight"})
    known = httpx.Response(200, json={"_responseCode": 1, "state": "unknown"})
    transport = answering([BUSY, flying, flying, known], seen)
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.0)

    async def run_nothing() -> Report:
        made = httpx.AsyncClient
        monkeypatch.setattr(httpx, "AsyncClient", lambda **_: made(transport=transport))

        async def make_site(_: httpx.AsyncClient) -> Site:
            return ConfigSite(SITE)

        return await run("http://wallet.test", make_site, [])

    report = asyncio.run(run_nothing())

    assert len(seen) == 4
    assert not report.ok, "nothing was checked"
    assert chosen(())
