"""`python -m bench`: measures us against every other way of doing the same, and says how it went.

Exit code 0: everything measured and audited, whatever the figures say; 1: an audit failed, or
something did not start.
"""

import logging
import sys
from typing import Annotated

import typer

from bench.benchmark import run_benchmark
from bench.contenders.catalogue import CONTENDERS
from bench.document import document
from bench.plan import Mode, plan_of
from bench.results import save
from bench.table import tables
from embedded import EmbeddedError
from models.errors import BetcoreError

_command = typer.Typer(add_completion=False)


@_command.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="headline ratios, in 2 minutes")] = False,
    long: Annotated[bool, typer.Option("--long", help="everything, in about an hour")] = False,
    rates: Annotated[
        bool, typer.Option("--rates", help="latency at the same rates for all, in 12 minutes")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="the queue alone: what one Redis carries, in 2 minutes")
    ] = False,
    growth: Annotated[
        bool, typer.Option("--growth", help="what ten million bets change, in 30 minutes")
    ] = False,
    overload: Annotated[
        bool, typer.Option("--overload", help="ours, offered more than it can do, in 8 minutes")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="REVISION", help="this tree and a git revision of it, by turns"),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="this contender (repeatable)")] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="of each run")] = None,
    document_only: Annotated[
        bool, typer.Option("--document", help="write the last results into docs/PERFORMANCE.md")
    ] = False,
) -> None:
    """Measure ours and its rivals on servers of their own; print tables."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("bench").setLevel(logging.INFO)
    try:
        if document_only:
            typer.echo(f"Written: {', '.join(map(str, document()))}")
            return
        modes: dict[Mode, object] = {"against": against, "overload": overload, "rates": rates}
        modes |= {"queue": queue, "growth": growth, "long": long, "quick": quick}
        chosen = [mode for mode, asked in modes.items() if asked]
        if len(chosen) > 1:
            raise typer.BadParameter(f"--{chosen[0]} excludes --{chosen[1]}.")
        mode = chosen[0] if chosen else "bench"
        results = run_benchmark(plan_of(mode, seconds, only or ()), against)
    except (BetcoreError, EmbeddedError) as error:
        typer.echo(f"error: {str(error) or error.__doc__}", err=True)
        raise typer.Exit(1) from None
    measured = {run.point.contender for run in results.runs}
    for name in (name for name in CONTENDERS if name in measured):
        typer.echo(f"{name}: {CONTENDERS[name].what}")
    for table in tables(results):
        typer.echo(f"\n{table.text()}")
    written = save(results).name
    typer.echo(f"\nThe ledger is clean. {results.seconds:.0f} s. Written: {written}")


if __name__ == "__main__":
    _command()
