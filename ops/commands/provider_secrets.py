"""`betcore provider secret`: replaces what a provider signs with, without a moment between."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, Note, emit, emit_list

if TYPE_CHECKING:
    from models.directory.providers import Secret

app = typer.Typer(
    help="What a provider signs with: add a new secret, revoke the old.", no_args_is_help=True
)

CounterpartyId = Annotated[
    str, typer.Argument(metavar="ID", help="The provider's counterparty id.")
]
SecretId = Annotated[int, typer.Option(min=1, help="As `secret list` and `secret add` tell it.")]


@app.command("add")
def add(
    counterparty_id: CounterpartyId,
    note: Note = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Add a secret; the others stay good.

    It counts at once, and is shown this once.
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
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Accept a secret no more, from 2 seconds on, for ever.

    Also the last one may be revoked, as when it was stolen: then every call of the provider is
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
    counterparty_id: CounterpartyId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """List a provider's secrets, without what they are."""
    from models.directory.providers import list_secrets
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        rows = [_row(secret) for secret in list_secrets(database, counterparty_id)]
    emit_list({"counterpartyId": counterparty_id}, "secrets", rows, as_json)


@app.command("reencrypt")
def reencrypt(
    note: Note = None, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Encrypt all secrets with the key of BETCORE_SECRETS_KEY.

    For after that was replaced: then the old key is needed no longer. Exits with 1 when any secret
    cannot be decrypted, and names it on stderr.
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
