"""`betcore-kit conformance`: checks a deployment, and writes reports."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from betcore_kit.commands.sites import place_of, site_of
from betcore_kit.conformance.config import TEMPLATE
from betcore_kit.conformance.html_report import as_html
from betcore_kit.conformance.reports import as_json, as_junit, as_text
from betcore_kit.conformance.runner import Report, Result, Verdict, chosen, run
from betcore_kit.errors import KitError

Url = Annotated[str | None, typer.Argument(metavar="[URL]", help="The wallet's base URL.")]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Make a provider and sessions by the sandbox's API.")
]
Config = Annotated[Path | None, typer.Option(help="A file with identity and sessions.")]
Template = Annotated[bool, typer.Option("--template", help="Print an empty --config file.")]
Only = Annotated[
    list[str] | None, typer.Option(help="A category, a case, or a pattern such as 'refunds/*win*'.")
]
List = Annotated[bool, typer.Option("--list", help="List the cases, and run none.")]
Junit = Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")]
Html = Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def conformance(
    url: Url = None,
    sandbox: Sandbox = False,
    config: Config = None,
    template: Template = False,
    only: Only = None,
    list_cases: List = False,
    junit: Junit = None,
    html: Html = None,
    as_json_: AsJson = False,
) -> None:
    """Check every promise of the protocol against a deployment, as a provider sees it.

    The exit code is 0 if every case that could run has passed, 1 if one has failed, and 2 if
    nothing could be checked.
    """
    if template:
        typer.echo(TEMPLATE, nl=False)
        return
    wanted = chosen(only or ())
    if list_cases:
        for case in wanted:
            typer.echo(f"{case.id}\n  {case.promise}")
        return
    place = place_of(url)
    make_site = site_of(place, sandbox, config)
    report = asyncio.run(run(place, make_site, wanted, _show_progress))
    _write(report, junit, html)
    typer.echo(as_json(report) if as_json_ else as_text(report))
    if not report.counts[Verdict.PASSED] and not report.counts[Verdict.FAILED]:
        raise KitError("Every case was skipped, so nothing was checked.")
    raise typer.Exit(0 if report.ok else 1)


def _show_progress(result: Result) -> None:
    """A failure is shown as it happens; on stderr, so that --json stays readable."""
    if result.verdict is Verdict.FAILED:
        typer.echo(f"failed: {result.case.id}: {result.reason}", err=True)


def _write(report: Report, junit: Path | None, html: Path | None) -> None:
    try:
        if junit is not None:
            junit.write_bytes(as_junit(report))
        if html is not None:
            html.write_text(as_html(report), encoding="utf-8")
    except OSError as error:
        raise KitError(f"{error.filename} cannot be written: {error.strerror}.") from None
