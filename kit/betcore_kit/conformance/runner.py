"""Runs cases, some at the same time, and keeps what came of each."""

import asyncio
import fnmatch
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from betcore_kit.conformance import cases
from betcore_kit.conformance.case import CASES, CATEGORIES, Broken, Case, Lacking
from betcore_kit.conformance.site import Site
from betcore_kit.conformance.stage import Stage, new_id
from betcore_kit.conformance.wire import WAIT_SECONDS, Exchange, How, Wire
from betcore_kit.errors import KitError

CASE_SECONDS = 60.0
#: How long a wallet that has just started may not know what it took before.
MEMORY_SECONDS = 60.0
POLL_SECONDS = 1.0
#: The age of the oldest request that a case expects to be served.
OLDEST_STAMP_SECONDS = 21.0
_CONNECTIONS = 100
_KEPT_SECONDS = 2.0  # below the time after which a wallet closes an idle connection

assert cases  # noqa: S101 - its import has registered the cases


class Verdict(StrEnum):
    """What came of a case."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """What came of a case, and what went over the wire. `reason` is "" if it passed."""

    case: Case
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    exchanges: Sequence[Exchange] = field(default_factory=tuple)


@dataclass(frozen=True)
class Report:
    """All results of a run, in the order of the cases."""

    url: str
    began: float  # Unix time
    seconds: float
    results: Sequence[Result]

    @property
    def counts(self) -> Counter[Verdict]:
        """Return how many cases have each verdict."""
        return Counter(result.verdict for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether no promise is broken, and at least one was checked."""
        return not self.counts[Verdict.FAILED] and bool(self.counts[Verdict.PASSED])


def chosen(only: Iterable[str]) -> list[Case]:
    """Return the cases by category, id or pattern of ids; all cases if `only` is empty.

    Raises KitError for a pattern that matches nothing.
    """
    ordered = sorted(CASES, key=lambda one: CATEGORIES.index(one.category))
    wanted = [part.strip() for text in only for part in text.split(",") if part.strip()]
    for pattern in wanted:
        if not any(_matches(one, pattern) for one in ordered):
            raise KitError(f"--only {pattern}: no such category or case; --list shows them all.")
    return [one for one in ordered if not wanted or any(_matches(one, p) for p in wanted)]


async def run(
    url: str,
    make_site: Callable[[httpx.AsyncClient], Awaitable[Site]],
    wanted: Sequence[Case],
    on_result: Callable[[Result], object] = lambda _: None,
) -> Report:
    """Run the cases against the wallet at a URL. `make_site` makes their site.

    Raises KitError if the site cannot be made, or no answer comes.
    """
    began, clock = time.time(), time.monotonic()
    limits = httpx.Limits(
        max_connections=_CONNECTIONS,
        max_keepalive_connections=_CONNECTIONS,
        keepalive_expiry=_KEPT_SECONDS,
    )
    async with httpx.AsyncClient(timeout=WAIT_SECONDS, limits=limits) as http:
        site = await make_site(http)
        await _wait_for_memory(Stage(site, Wire(url, http)))
        at_once = asyncio.Semaphore(site.parallel)

        async def one(case: Case) -> Result:
            async with at_once:
                result = await _run_case(case, Stage(site, Wire(url, http)))
                on_result(result)
                return result

        results = await asyncio.gather(*(one(case) for case in wanted))
    return Report(url, began, time.monotonic() - clock, results)


async def _wait_for_memory(stage: Stage) -> None:
    """Wait for a wallet that has just started.

    At first it says `in_flight` of every bet, and refuses requests that are stamped before its
    start. Both are allowed, and both end after some seconds. Raises KitError if no answer comes.
    """
    provider, until = await stage.provider(), time.monotonic() + MEMORY_SECONDS
    while time.monotonic() < until:
        then = str(int((time.time() - OLDEST_STAMP_SECONDS) * 1000))
        query = f"/v1/bets?betId={new_id()}"
        try:
            headers = How(timestamp=then).headers(provider.identity, b"")
            answer = await stage.wire.once("GET", query, b"", headers)
        except Broken as broken:
            raise KitError(f"{stage.wire.url} cannot be checked. {broken}") from None
        if answer.code != 99 and answer.fields.get("state") != "in_flight":
            return
        await asyncio.sleep(POLL_SECONDS)


async def _run_case(case: Case, stage: Stage) -> Result:
    verdict, reason, began = Verdict.PASSED, "", time.monotonic()
    try:
        async with asyncio.timeout(CASE_SECONDS), stage.leaving:
            await case.check(stage)
    except Lacking as lacking:
        verdict, reason = Verdict.SKIPPED, str(lacking)
    except (Broken, KitError) as broken:
        verdict, reason = Verdict.FAILED, str(broken)
    except TimeoutError:
        verdict, reason = Verdict.FAILED, f"The case took more than {CASE_SECONDS:.0f} s."
    except Exception as error:  # an answer of a form that no case expects must not end the run
        verdict = Verdict.FAILED
        reason = f"An answer could not be judged: {type(error).__name__}: {error}"
    seconds = time.monotonic() - began
    return Result(case, verdict, reason, seconds, tuple(stage.wire.exchanges))


def _matches(case: Case, pattern: str) -> bool:
    return case.category == pattern or fnmatch.fnmatchcase(case.id, pattern)
