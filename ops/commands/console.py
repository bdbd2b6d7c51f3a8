"""`betcore console`: the users of the console."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import AsJson, DataDir, Note, emit, emit_list

if TYPE_CHECKING:
    from models.directory.console_users import ShownUser

app = typer.Typer(help="The console: its users.", no_args_is_help=True)
users = typer.Typer(
    help="Users of the console: add, list, password, role, revoke.", no_args_is_help=True
)
app.add_typer(users, name="user")

Name = Annotated[str, typer.Argument(help="Its name, for the audit log. A name is used only once.")]
Role = Annotated[
    str,
    typer.Option(
        "--role",
        metavar="support|operator|admin",
        help="`support` reads, `operator` also acts, `admin` also manages users and secrets.",
    ),
]


@app.callback()
def console() -> None:
    """The console: its users."""


@users.command("add")
def add(
    name: Name, role: Role, note: Note = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Add a user. The password is generated, and shown only once."""
    from models.directory.console_users import add_user
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        added, password = add_user(database, name, role)
    emit(_row(added) | {"password": password}, as_json)


@users.command("password")
def password_(
    name: Name, note: Note = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Give a user a new generated password, and log the user out everywhere."""
    from models.directory.console_users import new_password
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        changed, password = new_password(database, name)
    emit(_row(changed) | {"password": password}, as_json)


@users.command("role")
def role_(
    name: Name, role: Role, note: Note = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Give a user another role, from the next request on."""
    from models.directory.console_users import set_role
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        changed = set_role(database, name, role)
    emit(_row(changed), as_json)


@users.command("revoke")
def revoke(
    name: Name, note: Note = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Revoke a user for good, from the next request on."""
    from models.directory.console_users import revoke_user
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        revoked = revoke_user(database, name)
    emit(_row(revoked), as_json)


@users.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all users that ever were, without their passwords."""
    from models.directory.console_users import list_users
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        rows = [_row(user) for user in list_users(database)]
    emit_list({}, "users", rows, as_json)


def _row(user: "ShownUser") -> dict[str, object]:
    return {
        "id": str(user.id),
        "name": user.name,
        "role": str(user.role),
        "createdAt": user.created_at,
        "revokedAt": user.revoked_at,
    }
