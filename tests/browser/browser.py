"""Chromium of the system's packages, driven by Playwright, and a console with something in it."""

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from math import sin

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from models.audit.log import operation
from models.directory.providers import add_provider
from models.minute_figures import MinuteFigures
from models.reports.minutes import keep_minutes
from tests.service.portal.person import Person
from tests.service.support import keys
from tests.service.support.client import ProviderClient
from tests.service.support.world import PlayerSession, World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: The rules of WCAG 2.2 A and AA, and good practice such as landmarks, as axe names them.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_WITHIN_MS = 60_000  # on a slow and busy machine


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield found
        finally:
            found.close()


@dataclass(frozen=True)
class Desk:
    """A user at a browser's window."""

    person: Person
    context: BrowserContext
    page: Page

    def open(self, path: str) -> None:
        """Go to a page of the console."""
        self.page.goto(f"{self.person.url}/console{path}")

    def log_in(self) -> None:
        """Log in by the form."""
        self.open("/")
        self.page.get_by_label("Name").fill(self.person.name)
        self.page.get_by_label("Password").fill(self.person.password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()


@contextmanager
def desk(
    browser: Browser, person: Person, width: int = 1280, scheme: str = "light"
) -> Iterator[Desk]:
    """A window of this width, whose user prefers this scheme of colours."""
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(_WITHIN_MS)
    try:
        yield Desk(person, context, context.new_page())
    finally:
        context.close()


def play(world: World) -> PlayerSession:
    """A player with bets of several kinds, of which one is named `round-7-bet-3`."""
    with operation(world.operator_url, keys.AUTHOR) as database:
        made = add_provider(database, f"Lucky Games {uuid.uuid4().hex[:4]}", keys.CIPHER)
    client = ProviderClient(world.gateways[0].url, made.counterparty_id, made.secret)
    world.processes.callback(client.http.close)
    player = world.open_session(client, player=f"ann-{uuid.uuid4().hex[:8]}")
    for stake, win in (("5", "0"), ("2.50", "4"), ("10", "0")):
        player.pay_in_out(Decimal(stake), Decimal(win))
    named = {"gameRoundId": "round-7"}
    player.call("pay-in", "round-7-bet-3", betAmount=Decimal("12.50"), **named)
    player.call("pay-out", "round-7-bet-3", winAmount=Decimal("30"), **named)
    player.call("pay-in", "still-open", betAmount=Decimal(3))
    player.call("pay-in", "given-back", betAmount=Decimal(8))
    player.call("refund", "given-back")
    keep_minutes(world.operator_url, {last_hour(number): busy(number) for number in range(90)})
    return player


def last_hour(number: int) -> int:
    """A minute before this one, by its number since 1970. Nobody told of some of them."""
    gap = 6 if number > 40 else 0
    return int(time.time() // 60) - number - gap - 1


def busy(number: int) -> MinuteFigures:
    """What gateways may have done in a minute: more and less, with a slow moment."""
    done = int(40_000 + 15_000 * sin(number / 9) + 2_000 * sin(number * 7))
    slow = done // 6 if 20 <= number <= 24 else done // 90
    times = {4: done // 3, 5: done // 2, 6: done // 8, 7: slow, 9: slow // 5}
    codes = {1: done, 4: done // 80, 5: done // 300, 99: 900 if 20 <= number <= 24 else 0}
    seconds = MinuteFigures().seconds
    return MinuteFigures(
        done // 2, codes, tuple([times.get(place, 0) for place in range(len(seconds))])
    )
