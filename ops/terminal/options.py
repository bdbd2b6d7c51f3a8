"""Shared by every command: common options, the servers' addresses, and printing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from models.errors import BetcoreError
from models.exact_csv import csv_lines, plain_text
from models.exact_json import exact_json
from ops.terminal.documents import json_pieces, table_lines
from ops.terminal.durations import read_time

if TYPE_CHECKING:
    from settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Data folder of the embedded servers, used if DATABASE_URL is not set; default: "
        "BETCORE_DATA_DIR, or .betcore.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the rows as CSV on stdout.")]
Limit = Annotated[int | None, typer.Option(min=1, max=10**9, help="At most this many rows.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        parser=read_time, metavar="TIME", help="From this time on; UTC unless it names a zone."
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=read_time, metavar="TIME", help="Before this time."),
]
Note = Annotated[
    str | None, typer.Option("--note", help="Reason, for the audit log: 1 to 500 characters.")
]


class NoServers(BetcoreError):  # noqa: N818
    """DATABASE_URL or REDIS_URL is not set, and no embedded servers run on the folder."""


def configuration(data_dir: Path | None) -> "Settings":
    """Return the settings of this process. `data_dir` replaces the data folder, unless it is None.

    Raises BadSettings, which also has a line for each URL and key that cannot be read.
    """
    from settings import BadSettings, settings, texts

    try:
        configured = settings()
    except BadSettings as error:
        from ops.urls import faults

        lines = [str(error), *(str(fault) for fault in faults(texts()))]
        raise BadSettings("\n".join(lines)) from None
    return configured if data_dir is None else configured.model_copy(update={"data_dir": data_dir})


def find_settings(data_dir: Path | None, login: str = "operator") -> "Settings":
    """Return the settings of this process. URLs that are not set are those of the embedded servers.

    `login` is this process's login to the embedded PostgreSQL (ops/logins.py). Raises NoServers if
    there is no server to use.
    """
    configured = configuration(data_dir)
    if configured.database_url and configured.redis_url:
        return configured
    from embedded import EmbeddedError, running
    from ops.logins import login_url

    try:
        urls = running(configured.data_dir)
    except (EmbeddedError, OSError) as error:
        raise NoServers(f"{configured.data_dir}: {error}") from error
    if urls is None:
        raise NoServers(
            "No servers: set DATABASE_URL and REDIS_URL, or start `betcore up` on "
            f"{configured.data_dir} (another folder: --data-dir)."
        )
    return configured.model_copy(
        update={
            "database_url": configured.database_url or login_url(urls.database, login),
            "redis_url": configured.redis_url or urls.redis,
        }
        | allowed_on_trial(configured)
    )


def allowed_on_trial(configured: "Settings") -> dict[str, bool]:
    """The settings that let `betcore up` call providers on this machine, unless they are set.

    In a sandbox for others, strangers name URLs. So private addresses are left out there.
    """
    names = ["outbound_http_allowed"]
    if not (configured.sandbox and _is_for_others(configured)):
        names.append("outbound_private_addresses_allowed")
    return dict.fromkeys([name for name in names if name not in configured.model_fields_set], True)


def _is_for_others(configured: "Settings") -> bool:
    """Whether the portal is served to other machines."""
    try:
        is_here = ip_address(configured.portal_host).is_loopback
    except ValueError:
        is_here = configured.portal_host == "localhost"
    return bool(configured.sandbox_url) or not is_here


def chosen_reference(reference: str | None) -> str:
    """Return the reference, or make one. A new one is printed on stderr before it is used."""
    if reference is not None:
        return reference
    fresh = str(uuid4())
    typer.echo(f"reference: {fresh} (to repeat this: --reference {fresh})", err=True)
    return fresh


def emit(result: Mapping[str, object], as_json: bool) -> None:
    """Print one result on stdout: one line of JSON, or a line `name  value` per field."""
    if as_json:
        typer.echo(exact_json(result))
    else:
        width = max((len(name) for name in result), default=0)
        for name, value in result.items():
            typer.echo(f"{name:<{width}}  {plain_text(value)}")


def emit_list(
    fields: Mapping[str, object],
    name: str,
    rows: Iterable[Mapping[str, object]],
    as_json: bool,
) -> None:
    """Print one result that ends in a list, row by row as the rows come.

    For people the list is a table under the fields. Its titles are the names in the first row. An
    empty list is said to be empty.
    """
    if as_json:
        for piece in json_pieces(fields, name, rows):
            typer.echo(piece, nl=False)
        typer.echo()
        return
    emit(fields, as_json)
    coming = iter(rows)
    first = next(coming, None)
    if first is None:
        typer.echo(f"\n{name}: none" if fields else f"{name}: none")
    else:
        cells = (tuple(row.values()) for row in chain((first,), coming))
        lines = table_lines(tuple(first), cells)
        for line in chain(("",), lines) if fields else lines:
            typer.echo(line)


def emit_lists(
    fields: Mapping[str, object],
    lists: Mapping[str, Sequence[Mapping[str, object]]],
    as_json: bool,
    empty: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Print one result with several short lists. For people each is a table under its name.

    `empty` has the word for an empty list, by the name of the list. The usual word is "none".
    """
    if as_json:
        typer.echo(exact_json({**fields, **lists}))
        return
    emit(fields, as_json)
    for name, rows in lists.items():
        typer.echo(f"\n{name}: {'' if rows else empty.get(name, 'none')}".rstrip())
        if rows:
            for line in table_lines(tuple(rows[0]), [tuple(row.values()) for row in rows]):
                typer.echo(line)


def emit_csv(titles: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Print the rows as CSV, row by row as they come. The titles are printed even without rows."""
    for line in csv_lines(titles, (tuple(row.values()) for row in rows)):
        typer.echo(line)


def require_one_form(as_csv: bool, as_json: bool) -> None:
    """Raise typer.BadParameter if a result is requested in two formats."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other: choose one")


def require_period(since: datetime | None, until: datetime | None) -> None:
    """Raise typer.BadParameter if a period ends before it begins."""
    if since is not None and until is not None and since > until:
        raise typer.BadParameter("--since is later than --until")
