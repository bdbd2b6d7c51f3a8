"""Takes the screenshots of the docs: `python -m tests.browser.screenshots [FOLDER] [PAGE …]`.

With no folder, those of the docs are written to docs/screenshots/.
"""

import sys
from pathlib import Path

from tests.browser.browser import Desk, chromium, desk, play
from tests.browser.places import pages_of
from tests.service.portal.person import person
from tests.service.support.processes import PortalProcess
from tests.service.support.world import new_world
from tests.source import ROOT

#: The page, the width of the window, and the scheme of colours.
SHOTS = (
    ("bet", 1280, "light"),
    ("player", 360, "dark"),
    ("queue", 1280, "dark"),
    ("house", 1280, "light"),
    ("now", 360, "light"),
    ("live", 1280, "light"),
    ("reference", 1280, "light"),
)
_REFERENCE = "Take a stake and pay its win"  # the call that its picture shows


def take(folder: Path, shots: list[tuple[str, int, str]]) -> None:
    """Write a picture per shot."""
    folder.mkdir(parents=True, exist_ok=True)
    with new_world() as world:
        world.start(gateways=1, workers=1)
        player = play(world)
        with (
            PortalProcess(world.urls) as portal,
            chromium() as browser,
            person(world, "", "admin", name="maria") as someone,
        ):
            portal.wait_ready()
            someone.url = portal.url
            pages = pages_of(world, player)
            for width, scheme in sorted({(width, scheme) for _, width, scheme in shots}):
                with desk(browser, someone, width, scheme) as at:
                    at.log_in()
                    for name, *where in shots:
                        if where == [width, scheme]:
                            _open(at, name, pages)
                            file = folder / f"{name}-{width}-{scheme}.png"
                            at.page.screenshot(path=file, full_page=name != "reference")
                            print(file)  # noqa: T201  # the progress of a command


def _open(at: Desk, name: str, pages: dict[str, str]) -> None:
    if name != "reference":
        at.open(pages[name])
        return
    at.page.goto(f"{at.person.url}/docs")
    at.page.get_by_role("button", name=_REFERENCE).click()
    at.page.get_by_text("The balance must cover the stake").wait_for()
    at.page.locator("#operations-bets-pay-in-out").evaluate("one => one.scrollIntoView()")


def main(arguments: list[str]) -> None:
    """Take the shots of the docs, or those of all widths and schemes of the pages named."""
    if not arguments:
        take(ROOT / "docs/screenshots", list(SHOTS))
        return
    kinds = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]
    take(Path(arguments[0]), [(name, *kind) for name in arguments[1:] for kind in kinds])


if __name__ == "__main__":
    main(sys.argv[1:])
