"""The console in Chromium: by keyboard, by people who see little, and on a narrow telephone."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.browser import CHROMIUM, RULES, Desk, chromium, desk, play
from tests.browser.places import pages_of
from tests.service.portal.person import Person, person
from tests.service.support.processes import PortalProcess
from tests.service.support.world import PlayerSession, World, new_world

#: What axe looks for. The dark pages differ in nothing but colours.
SCHEMES: dict[Literal["light", "dark"], dict[str, object]] = {
    "light": {"type": "tag", "values": RULES},
    "dark": {"type": "rule", "values": ["color-contrast"]},
}
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An installation with one gateway and one worker."""
    with new_world() as installation:
        installation.start(gateways=1, workers=1)
        yield installation


@pytest.fixture(scope="module")
def player(world: World) -> PlayerSession:
    """A player with bets."""
    return play(world)


@pytest.fixture(scope="module")
def admin(world: World) -> Iterator[Person]:
    """A user of the console who may do everything."""
    with PortalProcess(world.urls) as portal:
        portal.wait_ready()
        with person(world, portal.url, "admin") as someone:
            yield someone


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def window(browser: Browser, admin: Person) -> Iterator[Desk]:
    """A wide window of a user who is logged in."""
    with desk(browser, admin) as at:
        at.log_in()
        yield at


def test_axe_finds_nothing_on_any_page_and_no_page_is_wider_than_a_telephone(
    browser: Browser, admin: Person, world: World, player: PlayerSession
) -> None:
    axe = Axe()
    found: list[str] = []
    with desk(browser, admin, 360) as at:
        said: list[str] = []
        at.page.on("console", lambda message: said.append(message.text))
        at.open("/login")
        places = ["/login", *pages_of(world, player).values()]
        for path in places:
            if path == places[1]:
                at.log_in()
            at.open(path)
            for summary in at.page.locator("summary").all():
                summary.click()
            for scheme, rules in SCHEMES.items():
                at.page.emulate_media(color_scheme=scheme)
                results = axe.run(at.page, options={"runOnly": rules})
                for one in results.response["violations"]:
                    nodes = [node["html"][:200] for node in one["nodes"][:3]]
                    found.append(f"{path}, {scheme}: {one['id']}: {one['help']}: {nodes}")
            at.page.emulate_media(color_scheme="light")
            if at.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{path} is wider than the window")
    assert not found, "\n".join(found)
    assert not [text for text in said if "404" not in text]  # such as of the policy for content


def test_a_bet_is_found_and_its_player_blocked_by_keyboard_alone(
    window: Desk, player: PlayerSession
) -> None:
    page = window.page
    window.open("/")
    page.keyboard.press("/")
    page.keyboard.type("round-7-bet-3")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What happened").wait_for()
    assert [text for text in ("stake", "win") if text in page.locator(".timeline").inner_text()]

    page.get_by_role("link", name="ann-").first.focus()
    page.keyboard.press("Enter")
    summary = page.locator("summary", has_text="Block the player")
    summary.wait_for()
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("asked by the player")
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    assert "is blocked" in page.get_by_role("status").inner_text()
    assert player.call("pay-in", "while-blocked", betAmount=1).code == 5


def test_focus_is_seen_and_the_first_stop_skips_to_the_content(window: Desk) -> None:
    window.open("/providers")
    page = window.page
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the content"
    page.keyboard.press("Tab")
    width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert width == "3px"


def test_everything_works_without_scripts(
    browser: Browser, admin: Person, player: PlayerSession
) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        at = Desk(admin, context, context.new_page())
        at.log_in()
        at.page.get_by_role("searchbox").fill(player.session_id)
        at.page.get_by_role("button", name="Search").click()
        at.page.get_by_role("heading", name="Session").wait_for()
        at.page.get_by_role("button", name="Log out").click()
        at.page.get_by_role("heading", name="Log in").wait_for()
    finally:
        context.close()
    assert at.page.is_closed()


def test_the_reference_is_drawn_from_our_own_files_and_says_nothing_in_the_browsers_console(
    browser: Browser, admin: Person
) -> None:
    with desk(browser, admin) as at:
        said: list[str] = []
        asked: list[str] = []
        at.page.on("console", lambda message: said.append(message.text))
        at.page.on("request", lambda request: asked.append(request.url))
        at.page.goto(f"{admin.url}/docs")
        at.page.get_by_role("button", name="Take a stake and pay its win").click()
        at.page.get_by_text("The balance must cover the stake").wait_for()
        at.page.get_by_text("Reasons of code 3 and 5").wait_for()
    assert said == []
    assert [url for url in asked if not url.startswith((admin.url, "data:"))] == []
