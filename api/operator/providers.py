"""Providers: list, show, suspend, resume, and their secrets."""

from api.operator import answers, forms
from api.operator.call import CREATED, Call, Reply
from api.shared.problems import Problem
from models.database.transactions import Transaction
from models.directory.providers import (
    ProviderStatus,
    add_secret,
    list_secrets,
    revoke_secret,
    set_provider_status,
)
from models.reports.parties import list_providers, show_provider


def list_(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """List all providers."""
    with call.reading() as database:
        found = list_providers(database)
    items = [answers.ListedProvider.model_validate(one) for one in found]
    return Reply(answers.ProviderList(items=items))


def show(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Show a provider with the ages of its secrets, but no secret."""
    with call.reading() as database:
        return _shown(database, call.path["providerId"])


def suspend(call: Call, form: forms.Change) -> Reply:
    """Refuse new bets of a provider."""
    return _set_status(call, form, "suspended")


def resume(call: Call, form: forms.Change) -> Reply:
    """Accept bets of a suspended provider again."""
    return _set_status(call, form, "active")


def show_secrets(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """List the secrets of a provider without their values."""
    with call.reading() as database:
        found = list_secrets(database, call.path["providerId"])
    return Reply(answers.SecretList(items=[answers.Secret.model_validate(one) for one in found]))


def new_secret(call: Call, form: forms.Change) -> Reply:
    """Add a secret. The others remain valid."""
    with call.changing(form.note) as database:
        added, secret = add_secret(database, call.path["providerId"], call.services.cipher)
    times = {"created_at": added.created_at, "revoked_at": added.revoked_at}
    return Reply(answers.NewSecret(secret_id=added.secret_id, secret=secret, **times), CREATED)


def end_secret(call: Call, form: forms.Change) -> Reply:
    """Revoke a secret for good."""
    provider, secret_id = call.path["providerId"], call.path["secretId"]
    if not (secret_id.isascii() and secret_id.isdigit() and len(secret_id) < 10):
        raise Problem(404, "not_found", f"The provider has no secret {secret_id!r}.")
    with call.changing(form.note) as database:
        revoked = revoke_secret(database, provider, int(secret_id))
    return Reply(answers.Secret.model_validate(revoked))


def _set_status(call: Call, form: forms.Change, status: ProviderStatus) -> Reply:
    with call.changing(form.note) as database:
        set_provider_status(database, call.path["providerId"], status)
        database.flush()
        return _shown(database, call.path["providerId"])


def _shown(database: Transaction, provider_id: str) -> Reply:
    found = show_provider(database, provider_id)
    listed = answers.ListedProvider.model_validate(found.provider)
    return Reply(
        answers.Provider(
            **listed.model_dump(),
            secrets=[answers.Secret.model_validate(one) for one in found.secrets],
            accounts=[answers.HouseAccount.model_validate(one) for one in found.accounts],
        )
    )
