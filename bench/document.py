"""Writes the results of a run into docs/PERFORMANCE.md, between two comments."""

from pathlib import Path

from bench.picture import PICTURE, draw
from bench.results import FOLDER, Results, load
from bench.table import tables
from models.errors import BetcoreError

DOCUMENT = PICTURE.with_name("PERFORMANCE.md")
BEGIN, END = "<!-- results: python -m bench --document -->", "<!-- end of results -->"
_FULLEST_FIRST = ("long", "bench", "quick")


class NoResults(BetcoreError):  # noqa: N818 - named for what it is about
    """There are no results yet: run `make bench` first."""


def document(path: Path = DOCUMENT, folder: Path = FOLDER) -> list[Path]:
    """Write the fullest results of `folder` into `path`, and draw their picture; the files.

    Raises NoResults, and ValueError when `path` has not the two comments.
    """
    files = [folder / f"{mode}.json" for mode in _FULLEST_FIRST]
    chosen = next((file for file in files if file.exists()), None)
    if chosen is None:
        raise NoResults
    results = load(chosen)
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    picture = draw(results, path.with_name(PICTURE.name))
    path.write_text(f"{before}{BEGIN}\n{_in_markdown(results, picture)}\n{END}{after}")
    return [written for written in (path, picture) if written]


def _in_markdown(results: Results, picture: Path | None) -> str:
    machine = "; ".join(f"{name}: {value}" for name, value in results.machine.items())
    verified = f"The ledger verified: {results.verified_transfers:,} transfers."
    when = f"`{results.mode}`, {results.began_at}, in {results.seconds / 60:.0f} minutes."
    parts = [f"{when} {machine}. {verified}", *(table.markdown() for table in tables(results))]
    if picture:
        parts.insert(1, f"![Throughput and latency against connections]({picture.name})")
    return "\n\n".join(parts)
