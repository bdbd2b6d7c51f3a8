"""`betcore settings`: every setting with its value, where it comes from, and what it means."""

from typing import Annotated

import typer

from ops.terminal.options import AsJson, DataDir, configuration, emit_list

Reference = Annotated[
    bool,
    typer.Option("--reference", help="Print the reference page, with defaults only."),
]


def show(reference: Reference = False, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show every setting, its source and its meaning.

    Secrets are masked. If something is wrong, each fault has a line, and the exit code is 1.
    """
    from ops.shown_settings import reference as page
    from ops.shown_settings import shown_settings
    from ops.urls import readable

    if reference:
        typer.echo(page(), nl=False)
        return
    configured = readable(configuration(data_dir))
    rows = []
    for one in shown_settings(configured, folder_given=data_dir is not None):
        row = one._asdict()
        row["secret"] = row.pop("is_secret")
        rows.append(row if as_json else {k: v for k, v in row.items() if k != "secret"})
    emit_list({}, "settings", rows, as_json)
