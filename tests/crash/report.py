"""The tables of docs/RELIABILITY.md, made from the results of campaigns.

python -m tests.crash.report .crash
"""

import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.crash.guards import GUARDS
from tests.crash.points import POINTS
from tests.crash.results import GUARDS_RESULTS, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "RELIABILITY.md"
BEGIN = "<!-- made by tests/crash/report.py: begin -->"
END = "<!-- made by tests/crash/report.py: end -->"
BEGIN_GUARDS = "<!-- guards, made by tests/crash/report.py: begin -->"
END_GUARDS = "<!-- guards, made by tests/crash/report.py: end -->"


def table(found: Sequence[dict[str, Any]]) -> str:
    """Everything about these campaigns, as Markdown."""
    faults = _summed(found, "faults")
    points = _summed(found, "points")
    codes = _summed(found, "codes")
    lines = ["| what | how much |", "|---|---|"]
    rows = {
        "seeds": ", ".join(_ranges(sorted({one["seed"] for one in found}))),
        "hours": f"{sum(one['seconds'] for one in found) / 3600:.2f}",
        "requests": _total(found, "requests"),
        "bets": _total(found, "bets"),
        "transfers": _total(found, "transfers"),
        "answers of code 0": str(codes["0"]),
        "answers of code 99": str(codes["99"]),
        "requests without an answer": str(codes["none"]),
        "faults": str(sum(faults.values())),
        "times each point was reached, at least": str(min(points[p] for p in POINTS)),
        "**violations**": f"**{sum(len(one['violations']) for one in found)}**",
    }
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    lines += ["", "| kind of fault | times |", "|---|---|"]
    lines += [f"| {kind} | {times} |" for kind, times in sorted(faults.items())]
    return "\n".join([*lines, "", *_recovery(found)])


def guards_table(found: Sequence[dict[str, Any]]) -> str:
    """What the oracle detected with each guard disabled, in the last try."""
    last = {one["guard"]: one for one in found}
    lines = ["| disabled guard | what it promises | seed | rules that detected it, how often |"]
    lines.append("|---|---|---|---|")
    for name, guard in GUARDS.items():
        if name in last:
            spoke = last[name]["spoke"].items()
            said = ", ".join(f"`{rule}` {times}" for rule, times in spoke) or "**none**"
            lines.append(f"| {name} | {guard.promise} | {last[name]['seed']} | {said} |")
    return "\n".join(lines)


def write(
    document: Path, found: Sequence[dict[str, Any]], guards: Sequence[dict[str, Any]] = ()
) -> None:
    """Put the tables between the marks of a document, where there is something to say.

    Raises ValueError where there are no marks.
    """
    text = document.read_text()
    if found:
        text = _between(text, BEGIN, END, table(found))
    if guards:
        text = _between(text, BEGIN_GUARDS, END_GUARDS, guards_table(guards))
    document.write_text(text)


def _between(text: str, begin: str, end: str, new: str) -> str:
    head, _ = text.split(begin)
    _, tail = text.split(end)
    return f"{head}{begin}\n{new}\n{end}{tail}"


def _recovery(found: Sequence[dict[str, Any]]) -> list[str]:
    """Seconds after each kind of fault, median and largest."""
    measured: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        for recovery in one["recovery"]:
            measured.setdefault(recovery["kind"], []).append(recovery)
    lines = [
        "| after | times | first success | last affected bet | bets at the other gateway |",
        "|---|---|---|---|---|",
    ]
    for kind, recoveries in sorted(measured.items()):
        cells = [_seconds(recoveries, name) for name in ("first", "last", "others")]
        lines.append(f"| {kind} | {len(recoveries)} | {' | '.join(cells)} |")
    return lines


def _seconds(recoveries: Sequence[dict[str, Any]], name: str) -> str:
    values = [one[name] for one in recoveries if one[name] is not None]
    return f"{statistics.median(values):.1f} / {max(values):.1f} s" if values else "-"


def _summed(found: Sequence[dict[str, Any]], name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in found:
        total.update(one[name])
    return total


def _total(found: Sequence[dict[str, Any]], name: str) -> str:
    return f"{sum(one[name] for one in found):,}"


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Numbers as text, runs of them as `1 to 20`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(r[0]) if len(r) == 1 else f"{r[0]} to {r[-1]}" for r in runs]


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    write(
        DOCUMENT,
        [one for folder in folders for one in load(folder)],
        [one for folder in folders for one in load(folder, GUARDS_RESULTS)],
    )
