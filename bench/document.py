"""Writes the results of a run into docs/PERFORMANCE.md, between two comments."""

from pathlib import Path

from bench.picture import PICTURE, draw
from bench.results import FOLDER, Results, load
from bench.table import tables
from models.errors import BetcoreError

DOCUMENT = PICTURE.with_name("PERFORMANCE.md")
BEGIN, END = "<!-- results: python -m bench --document -->", "<!-- end of results -->"
OVERLOAD_BEGIN = "<!-- overload: python -m bench --document -->"
OVERLOAD_END = "<!-- end of overload -->"
_FULLEST_FIRST = ("long", "bench", "quick")
_OVERLOAD = ("overload",)


class NoResults(BetcoreError):  # noqa: N818 - named for what it is about
    """There are no results yet: run `make bench` first."""


def document(path: Path = DOCUMENT, folder: Path = FOLDER) -> list[Path]:
    """Write the fullest results of `folder` into `path`, and draw their picture; the files.

    What an overload found has a place of its own. Raises NoResults, and ValueError when `path` has
    not the comments around what is to be written.
    """
    written: list[Path] = []
    for modes, begin, end in (
        (_FULLEST_FIRST, BEGIN, END),
        (_OVERLOAD, OVERLOAD_BEGIN, OVERLOAD_END),
    ):
        files = [folder / f"{mode}.json" for mode in modes]
        chosen = next((file for file in files if file.exists()), None)
        if chosen is None:
            continue
        results = load(chosen)
        before, rest = path.read_text().split(begin)
        _, after = rest.split(end)
        picture = draw(results, path.with_name(PICTURE.name))
        path.write_text(f"{before}{begin}\n{_in_markdown(results, picture)}\n{end}{after}")
        written += [file for file in (path, picture) if file and file not in written]
    if not written:
        raise NoResults
    return written


def _in_markdown(results: Results, picture: Path | None) -> str:
    minutes = f"{results.seconds / 60:.0f} minutes"
    when = f"`{results.mode}` began at {results.began_at} and took {minutes}."
    verified = f"The ledger verified: {results.verified_transfers:,} transfers."
    machine = [f"| {name} | {value} |" for name, value in results.machine.items()]
    machine[:0] = ["| machine | |", "| --- | --- |"]
    parts = [f"{when} {verified}", "\n".join(machine)]
    parts += [table.markdown() for table in tables(results)]
    if picture:
        parts.insert(2, f"![Throughput and latency against connections]({picture.name})")
    return "\n\n".join(parts)
