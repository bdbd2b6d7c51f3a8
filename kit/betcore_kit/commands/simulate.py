"""`betcore-kit simulate`: a provider in a box, whose books must equal the aggregator's."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import httpx
import typer

from betcore_kit.commands.serving import serve_provider
from betcore_kit.commands.sites import place_of, site_of
from betcore_kit.errors import KitError
from betcore_kit.simulate.runner import Plan, Report, simulate

Url = Annotated[str | None, typer.Argument(metavar="[URL]", help="The wallet's base URL.")]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Make a provider and players by the sandbox's API.")
]
Config = Annotated[Path | None, typer.Option(help="A file with identity and sessions.")]
Players = Annotated[int, typer.Option(min=1, max=1000, help="How many players play.")]
Rounds = Annotated[int, typer.Option(min=1, help="How many rounds they play in all.")]
Rate = Annotated[float, typer.Option(min=0.1, help="Rounds per second, at most.")]
Seed = Annotated[int, typer.Option(help="The same seed plays the same rounds.")]
Lost = Annotated[float, typer.Option(min=0.0, max=0.5, help="The share of answers to lose.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Serve = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Play no rounds. Serve games, launches and a slot here until Ctrl-C; port 0: any.",
    ),
]
PublicUrl = Annotated[
    str | None,
    typer.Option(help="With --serve: the URL at which others reach it, such as a proxy's."),
]
_OF_ROUNDS = ("players", "rounds", "rate", "seed", "lost", "as_json")
_SHOWN_MAX = 20
_PROGRESS_EVERY = 100  # rounds


def play(
    context: typer.Context,
    url: Url = None,
    sandbox: Sandbox = False,
    config: Config = None,
    players: Players = 20,
    rounds: Rounds = 1_000,
    rate: Rate = 50.0,
    seed: Seed = 1,
    lost: Lost = 0.02,
    as_json: AsJson = False,
    serve: Serve = None,
    public_url: PublicUrl = None,
) -> None:
    """Play rounds with faults as a provider does, and compare the books at the end.

    Slots, crash, poker and jackpots are played. Answers are lost, bets come late with new sessions,
    refunds come before their bets, and signatures are wrong. The exit code is 0 if every bet and
    every balance is equal on both sides, and 1 otherwise. Nobody else may play with the sessions
    of a --config file meanwhile.

    With --serve, people play instead: it serves a slot in the browser that really bets.
    """
    place = place_of(url)
    if serve is not None:
        given = [name for name in _OF_ROUNDS if _is_given(context, name)]
        if given:
            raise KitError(f"--serve plays no rounds by itself: leave {_option(given[0])} out.")
        serve_provider(place, sandbox, config, serve, public_url)
        return
    if public_url is not None:
        raise KitError("--public-url belongs to --serve HOST:PORT.")
    make_site = site_of(place, sandbox, config)
    plan = Plan(players, rounds, rate, seed, lost)

    async def run() -> Report:
        async with httpx.AsyncClient(timeout=30) as http:
            return await simulate(place, await make_site(http), plan, show)

    def show(done: int) -> None:
        if done % _PROGRESS_EVERY == 0 or done == rounds:
            typer.echo(f"{done} of {rounds} rounds played", err=True)

    report = asyncio.run(run())
    typer.echo(_as_json(report) if as_json else _as_text(report))
    raise typer.Exit(0 if report.ok else 1)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _option(name: str) -> str:
    return "--json" if name == "as_json" else f"--{name}"


def _as_json(report: Report) -> str:
    return json.dumps(
        {
            "ok": report.ok,
            "bets": report.bets,
            "players": report.players,
            "seconds": round(report.seconds, 1),
            "counts": dict(report.counts),
            "differences": list(report.differences),
        }
    )


def _as_text(report: Report) -> str:
    lines = [f"{count:>8}  {what}" for what, count in sorted(report.counts.items())]
    lines += [f"{report.bets:>8}  bets compared", f"{report.players:>8}  balances compared"]
    lines += [f"differs: {line}" for line in report.differences[:_SHOWN_MAX]]
    left = len(report.differences) - _SHOWN_MAX
    lines += [f"and {left} more differences"] if left > 0 else []
    lines.append("the books are equal" if report.ok else "THE BOOKS DIFFER")
    return "\n".join(lines)
