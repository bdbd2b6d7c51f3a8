"""Writes the results of a run into docs/PERFORMANCE.md, between two comments."""

from pathlib import Path

from bench.results import FOLDER, Results, load
from bench.table import tables
from models.errors import BetcoreError

DOCUMENT = Path(__file__).parents[1] / "docs/PERFORMANCE.md"
#: Each place in the page, and the modes whose results it may have; the fullest first.
PLACES = {
    "results": ("long", "bench", "quick"),
    "rates": ("rates",),
    "queue": ("queue",),
    "growth": ("growth",),
    "overload": ("overload",),
    "against": ("against",),
}


def marks(place: str) -> tuple[str, str]:
    """The comments around a place."""
    return f"<!-- {place}: python -m bench --document -->", f"<!-- end of {place} -->"


class NoResults(BetcoreError):  # noqa: N818 - named for what it is about
    """There are no results yet: run `make bench` first."""


def document(path: Path = DOCUMENT, folder: Path = FOLDER) -> list[Path]:
    """Write results of `folder` into the places of `path`; their files.

    A place without new results stays as it is. Raises NoResults, and ValueError when `path` has not
    the comments around what is to be written.
    """
    written: list[Path] = []
    for place, modes in PLACES.items():
        files = [folder / f"{mode}.json" for mode in modes]
        chosen = next((file for file in files if file.exists()), None)
        if chosen is None:
            continue
        begin, end = marks(place)
        before, rest = path.read_text().split(begin)
        _, after = rest.split(end)
        path.write_text(f"{before}{begin}\n{_in_markdown(load(chosen))}\n{end}{after}")
        written.append(chosen)
    if not written:
        raise NoResults
    return written


def _in_markdown(results: Results) -> str:
    minutes = f"{results.seconds / 60:.0f} minutes"
    when = f"`{results.mode}` began at {results.began_at} and took {minutes}."
    verified = f"The ledger verified: {results.verified_transfers:,} transfers."
    machine = [f"| {name} | {value} |" for name, value in results.machine.items()]
    machine[:0] = ["| machine | |", "| --- | --- |"]
    parts = [f"{when}\n{verified}", "\n".join(machine)]
    parts += [table.markdown() for table in tables(results)]
    return "\n\n".join(parts)
