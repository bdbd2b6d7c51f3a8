"""`make crash`: campaigns of several seeds, one after the other; prints plans and results."""

import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.crash.campaign import run
from tests.crash.guards import GUARDS
from tests.crash.guards import plan as plan_without
from tests.crash.plan import draw
from tests.crash.report import table
from tests.crash.results import GUARDS_RESULTS, append

_SEEDS = 20


def main(
    seed: Annotated[int | None, typer.Option(help="Only this seed.")] = None,
    hours: Annotated[float | None, typer.Option(help="Seeds for so long.")] = None,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    folder: Annotated[Path, typer.Option(help="For results.")] = Path(".crash"),
    short: Annotated[bool, typer.Option("--short", help="As in the test suite.")] = False,
    without: Annotated[
        str, typer.Option(help="Take this guard away, or `each` of them once.")
    ] = "",
) -> None:
    """Run campaigns. The exit code is 1 if the oracle found a violation.

    With a guard disabled there is one campaign, and the exit code is 1 if the oracle found none.
    """
    if without:
        if short or hours or first != 1:
            raise typer.BadParameter("--without goes with --seed and --folder only")
        names = list(GUARDS) if without == "each" else [without]
        noticed = [_is_missed(name, seed or 1, folder) for name in names]
        raise typer.Exit(not all(noticed))
    until = time.monotonic() + (hours or 0) * 3600
    found: list[dict[str, Any]] = []
    for number in [seed] if seed is not None else count(first):
        if seed is None and (time.monotonic() >= until if hours else len(found) >= _SEEDS):
            break
        plan = draw(number, short=short)
        for step in plan.steps:
            typer.echo(f"seed {number}: {', '.join(map(str, step.faults))}")
        one = run(plan, folder)
        append(folder, one)
        found.append(one)
        typer.echo(_line(one))
    typer.echo(table(found))
    raise typer.Exit(any(one["violations"] for one in found))


def _is_missed(name: str, seed: int, folder: Path) -> bool:
    """Whether the oracle notices that a guard is disabled."""
    one = run(plan_without(name, seed), folder)
    spoke = Counter(str(violation).partition(":")[0] for violation in one["violations"])
    append(folder, {"guard": name, "seed": seed, "spoke": spoke}, GUARDS_RESULTS)
    typer.echo(_line(one))
    is_missed = bool(GUARDS[name].rules & spoke.keys())
    typer.echo(f"without {name}: {'noticed' if is_missed else 'NOT NOTICED'}")
    return is_missed


def _line(one: dict[str, Any]) -> str:
    counts = f"{one['requests']} requests, {one['bets']} bets in {one['seconds']:.0f} s"
    broken = "".join(f"\n  {violation}" for violation in one["violations"][:20])
    return f"seed {one['seed']}: {counts}, {len(one['violations'])} violations{broken}"


if __name__ == "__main__":
    typer.run(main)
