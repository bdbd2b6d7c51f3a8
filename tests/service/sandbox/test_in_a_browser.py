"""In a browser: the slot of `betcore-kit simulate --serve`, and the sandbox's page of requests."""

import re
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.browser import CHROMIUM, RULES, chromium
from tests.service.portal.caller import Caller, new_key
from tests.service.sandbox.newcomer import Newcomer, Sandbox
from tests.service.sandbox.test_guide import GUIDE
from tests.service.support.patience import COMMAND, SOON
from tests.service.support.processes import until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@dataclass(frozen=True)
class Served:
    """The command, which runs."""

    process: subprocess.Popen[bytes]
    file: Path

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self.file.read_text()

    def found(self, pattern: str) -> str:
        """A part of what it prints, once it is there."""
        until(lambda: bool(re.search(pattern, self.said)), lambda: self.said, COMMAND)
        match = re.search(pattern, self.said)
        assert match
        return match[1]


@contextmanager
def served(*arguments: str) -> Iterator[Served]:
    """`betcore-kit` with these arguments, until the block ends. Then it must end well."""
    command = [sys.executable, "-m", "betcore_kit.cli", *arguments]
    with (
        tempfile.NamedTemporaryFile() as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield Served(process, Path(log.name))
            process.send_signal(signal.SIGINT)
            assert process.wait(COMMAND) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def provider(sandbox: Sandbox) -> Iterator[Served]:
    """A provider of the sandbox with a slot, by the command of the guide."""
    [typed] = re.findall(r"^\.venv/bin/betcore-kit (simulate .*--serve.*)$", GUIDE, re.MULTILINE)
    here = {"http://127.0.0.1:8000": sandbox.wallet, "127.0.0.1:9300": "127.0.0.1:0"}
    with served(*[here.get(word, word) for word in typed.split()]) as running:
        running.found("(Ctrl-C) ends it")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as found:
        yield found


@contextmanager
def window(browser: Browser, width: int, scheme: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what the browser's console says of it."""
    size = {"width": width, "height": 800}
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(SOON * 1000)
    try:
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        yield page, said
    finally:
        context.close()


def settled(page: Page) -> None:
    """Wait until the page has its answer."""
    page.get_by_role("button", name="Spin").and_(page.locator(":enabled")).wait_for()


def troubles(page: Page) -> list[str]:
    """What axe finds on a page, and whether it is wider than its window."""
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    found = [str(one["help"]) for one in results.response["violations"]]
    is_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*found, "it is wider than the window"] if is_wide else found


def twice(page: Page) -> None:
    """Click Spin, and again as soon as there is an answer, as in a slow double click."""
    box = page.get_by_role("button", name="Spin").bounding_box()
    assert box
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    with page.expect_response("**/spin") as answered:
        page.mouse.click(*at)
    assert answered.value.ok
    page.mouse.click(*at)


def shown(page: Page, what: str) -> Decimal:
    """An amount on the page."""
    return Decimal(page.locator(f"#{what}").inner_text().removesuffix(" EUR"))


def test_a_game_that_the_operator_launches_is_played_and_the_ledger_agrees(
    sandbox: Sandbox, provider: Served, browser: Browser
) -> None:
    api = Caller(sandbox.portal, new_key(sandbox.world, "all"))
    provider_id, player = provider.found(r"provider (\S+) is served"), f"zoë {uuid.uuid4().hex}"
    asked = {"player": player, "currency": "EUR", "providerId": provider_id, "game": "slot"}
    api.done(api.post(f"/players/{player}/deposits", currency="EUR", amount="50", reference=player))

    opened = api.done(api.post("/sessions", **asked, minBet="0.5", maxBet="5"), 201)

    def balance() -> Decimal:
        [account] = api.done(api.get(f"/players/{player}/accounts"))["items"]
        return Decimal(account["balance"])

    def bets() -> int:
        found = api.done(api.get("/bets", player=player, limit=100))["items"]
        return len(found)

    with window(browser, 1280, "light") as (page, said):
        page.goto(opened["frameUri"])
        settled(page)
        assert shown(page, "balance") == balance() == 50
        page.get_by_label("Stake").select_option("2")
        won = Decimal(0)
        for number in range(1, 4):
            page.get_by_role("button", name="Spin").press("Enter")
            settled(page)
            won += shown(page, "won")
            assert shown(page, "staked") == 2
            assert shown(page, "balance") == balance() == 50 - 2 * number + won
        twice(page)
        settled(page)
        assert (bets(), shown(page, "balance")) == (4, balance())
        page.reload()
        settled(page)
        assert (bets(), shown(page, "balance")) == (4, balance())
        assert said == []
        api.done(api.post(f"/sessions/{opened['sessionId']}/close"))
        page.get_by_role("button", name="Spin").click()
        settled(page)
        assert "has ended" in page.get_by_role("status").inner_text()
        assert (bets(), shown(page, "balance")) == (4, balance())
    api.http.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_the_printed_address_fits_a_telephone_and_axe_finds_nothing(
    provider: Served, browser: Browser, scheme: str
) -> None:
    with window(browser, 360, scheme) as (page, said):
        page.goto(provider.found(r"Play here: (\S+)"))
        settled(page)
        page.locator("summary").click()
        page.get_by_role("button", name="Spin").click()
        settled(page)
        assert troubles(page) == []
        assert said == []


def test_a_frame_whose_answer_is_lost_asks_again_and_bets_once(
    provider: Served, browser: Browser
) -> None:
    with window(browser, 360, "light") as (page, _):
        page.goto(provider.found(r"Play here: (\S+)"))
        settled(page)
        before = httpx.get(f"{page.url}/state").json()["next"]
        page.route("**/spin", lambda route: (route.fetch(), route.abort()), times=1)
        page.get_by_role("button", name="Spin").click()
        settled(page)
        assert "nothing is bet twice" in page.get_by_role("status").inner_text()
        page.get_by_role("button", name="Spin").click()
        settled(page)
        state = httpx.get(f"{page.url}/state").json()
        assert (state["next"], state["last"]["spin"]) == (before + 1, before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_requests_shows_them_as_they_come_and_nothing_as_html(
    sandbox: Sandbox, newcomer: Newcomer, browser: Browser, scheme: str
) -> None:
    session, hostile = newcomer.session(), "<img src=x onerror=alert(1)>"
    with window(browser, 360, scheme) as (page, said):
        page.goto(f"{sandbox.portal}/sandbox/")
        page.get_by_label("token").fill("bst_nobody")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("This token is not known here.").wait_for()
        said.clear()  # the browser tells of the 401 by itself
        page.get_by_label("token").fill(newcomer.made["token"])
        page.keyboard.press("Enter")
        page.get_by_text("No request has come in the last hour.").wait_for()

        session.pay_in_out(1, 0, betId=hostile)
        session.pay_in_out(5000, 0, betId="poor")

        first = page.get_by_role("listitem").filter(has_text=hostile)
        second = page.get_by_role("listitem").filter(has_text="poor")
        second.wait_for()
        assert page.get_by_role("listitem").all_inner_texts()[0] == second.inner_text()
        assert "200, code 1" in first.inner_text()
        assert "402, code 4 insufficient_funds" in second.inner_text()
        second.locator("summary").click()
        assert '"betAmount":5000' in second.locator(".asked").inner_text().replace(" ", "")
        assert "insufficient_funds" in second.locator(".said").inner_text()
        assert troubles(page) == []
        page.reload()
        first.wait_for()
        assert page.locator("img").count() == 0
        assert said == []
