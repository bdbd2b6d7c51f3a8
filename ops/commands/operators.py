"""`betcore operator`: the keys of the operator API."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import AsJson, DataDir, Note, emit, emit_list

if TYPE_CHECKING:
    from models.directory.operator_keys import ShownKey

app = typer.Typer(help="The operator API: its keys.", no_args_is_help=True)
keys = typer.Typer(help="Keys of the operator API: add, list, revoke.", no_args_is_help=True)
app.add_typer(keys, name="key")

Name = Annotated[str, typer.Argument(help="Its name, for the audit log. A name is used only once.")]
Scopes = Annotated[
    list[str],
    typer.Option(
        "--scope",
        metavar="all|sessions|money|players|providers|reports|read",
        help="What it may do; repeat it for several. `read` reads everything, `all` may do"
        " everything, each other one reads and changes its own area.",
    ),
]
Days = Annotated[
    int | None,
    typer.Option("--expires-days", min=1, max=36_500, help="How long it lasts; default: for ever."),
]


@app.callback()
def operator() -> None:
    """The operator API: its keys."""


@keys.command("add")
def add(
    name: Name,
    scope: Scopes,
    expires_days: Days = None,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a key of the operator API. The key is shown only once."""
    from models.directory.operator_keys import add_operator_key
    from ops.database import changes_of

    lasts = None if expires_days is None else timedelta(days=expires_days)
    with changes_of(data_dir, note) as database:
        added, key = add_operator_key(database, name, scope, lasts)
    emit({"id": str(added.id), "key": key}, as_json)


@keys.command("revoke")
def revoke(
    name: Name, note: Note = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Revoke a key for good, from its next request on."""
    from models.directory.operator_keys import revoke_operator_key
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        revoked = revoke_operator_key(database, name)
    emit(_row(revoked), as_json)


@keys.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all keys that ever were, without the keys themselves."""
    from models.directory.operator_keys import list_operator_keys
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        rows = [_row(key) for key in list_operator_keys(database)]
    emit_list({}, "keys", rows, as_json)


def _row(key: "ShownKey") -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "scopes": " ".join(key.scopes),
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at,
        "lastUsedAt": key.last_used_at,
    }
