"""`betcore provider secret`: replaces a provider's signing secret without downtime."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import AsJson, DataDir, Note, emit, emit_list

if TYPE_CHECKING:
    from models.directory.providers import Secret

app = typer.Typer(
    help="Signing secrets of a provider: add a new one, revoke the old.", no_args_is_help=True
)

CounterpartyId = Annotated[
    str, typer.Argument(metavar="ID", help="The provider's counterparty id.")
]
SecretId = Annotated[int, typer.Option(min=1, help="The id that `secret list` and `add` show.")]


@app.command("add")
def add(
    counterparty_id: CounterpartyId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a secret. The others remain valid.

    It is valid immediately, and is shown only once.
    """
    from models.directory.providers import add_secret
    from ops.database import changes_of
    from ops.keys import secret_cipher

    cipher = secret_cipher(data_dir)
    with changes_of(data_dir, note) as database:
        added, secret = add_secret(database, counterparty_id, cipher)
    emit(
        {
            "counterpartyId": counterparty_id,
            "secretId": str(added.secret_id),
            "secret": secret,
        },
        as_json,
    )


@app.command("revoke")
def revoke(
    counterparty_id: CounterpartyId,
    secret_id: SecretId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a secret for good, within 2 seconds.

    The last one can be revoked too, for example after a theft. Every call of the provider is then
    refused until it has another.
    """
    from models.directory.providers import list_secrets, revoke_secret
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        revoked = revoke_secret(database, counterparty_id, secret_id)
        left = [one for one in list_secrets(database, counterparty_id) if not one.revoked_at]
    if not left:
        typer.echo("The provider has no secret left: all its calls are refused.", err=True)
    emit({"counterpartyId": counterparty_id} | _row(revoked), as_json)


@app.command("list")
def list_(
    counterparty_id: CounterpartyId, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """List a provider's secrets without their values."""
    from models.directory.providers import list_secrets
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        rows = [_row(secret) for secret in list_secrets(database, counterparty_id)]
    emit_list({"counterpartyId": counterparty_id}, "secrets", rows, as_json)


@app.command("reencrypt")
def reencrypt(note: Note = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Encrypt all secrets with the key of BETCORE_SECRETS_KEY.

    Run this after replacing the key: the old key is then not needed any more. The exit code is 1 if
    any secret cannot be decrypted. Each of these is named on stderr.
    """
    from models.directory.providers import reencrypt_secrets
    from ops.database import changes_of
    from ops.keys import secret_cipher

    cipher = secret_cipher(data_dir)
    with changes_of(data_dir, note) as database:
        done = reencrypt_secrets(database, cipher)
    for row, why in done.unreadable:
        typer.echo(f"Secret {row.secret_id} of {row.counterparty_id}: {why}.", err=True)
    emit(
        {
            "key": cipher.current,
            "reencrypted": done.changed,
            "unchanged": done.unchanged,
            "unreadable": len(done.unreadable),
        },
        as_json,
    )
    if done.unreadable:
        raise typer.Exit(1)


def _row(secret: "Secret") -> dict[str, object]:
    return {
        "secretId": str(secret.secret_id),
        "createdAt": secret.created_at,
        "revokedAt": secret.revoked_at,
    }
