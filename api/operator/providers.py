"""Providers: add, list, show, suspend, lock, secrets, allow-lists and limits."""

from api.operator import forms
from api.operator import provider_answers as answers
from api.operator.call import CREATED, Call, Reply
from api.shared.limits import Limits, limits_of, wins_of
from models.database.transactions import Transaction
from models.directory import provider_rules
from models.directory.provider_rules import LimitChange
from models.directory.providers import (
    ProviderStatus,
    add_provider,
    add_secret,
    list_secrets,
    revoke_secret,
    set_provider_status,
)
from models.reports.parties import list_providers, show_provider

_SECRET_IDS_END = 2**31


def add(call: Call, form: forms.AddProvider) -> Reply:
    """Add a provider with its first secret."""
    with call.changing(form.note) as database:
        made = add_provider(database, form.name, call.services.cipher)
    shown = {"counterparty_id": made.counterparty_id, "secret": made.secret}
    return Reply(answers.NewProvider(name=form.name, **shown), CREATED)


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


def lock(call: Call, form: forms.Change) -> Reply:
    """Accept no call of a provider at all."""
    return _set_lock(call, form, locked=True)


def unlock(call: Call, form: forms.Change) -> Reply:
    """Accept calls of a locked provider again."""
    return _set_lock(call, form, locked=False)


def show_allow_list(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Show the networks from which a provider may call."""
    with call.reading() as database:
        found = show_provider(database, call.path["providerId"]).networks
    return Reply(answers.AllowList(networks=list(found)))


def set_allow_list(call: Call, form: forms.SetAllowList) -> Reply:
    """Accept calls of a provider only from these networks, or from anywhere if there are none."""
    with call.changing(form.note) as database:
        found = provider_rules.set_allow_list(database, call.path["providerId"], form.networks)
    return Reply(answers.AllowList(networks=list(found)))


def show_limits(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Show the limits of a provider."""
    with call.reading() as database:
        found = provider_rules.show_limits(database, call.path["providerId"])
    return Reply(Limits.model_validate(found))


def change_limits(call: Call, form: forms.SetLimits) -> Reply:
    """Change the limits that are named. The others remain."""
    change = LimitChange(
        rate_max=form.rate,
        without_rate=form.rate is None and "rate" in form.model_fields_set,
        max_win=wins_of(form, "max_win"),
        max_daily_win=wins_of(form, "max_daily_win"),
    )
    with call.changing(form.note) as database:
        found = provider_rules.set_limits(database, call.path["providerId"], change)
        return Reply(Limits.model_validate(found))


def replace_limits(call: Call, form: forms.SetLimits) -> Reply:
    """Set exactly these limits, and take all others away."""
    limits = limits_of(form)
    with call.changing(form.note) as database:
        found = provider_rules.replace_limits(database, call.path["providerId"], limits)
        return Reply(Limits.model_validate(found))


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
    secret_id = call.row_id("secretId", "secret", _SECRET_IDS_END)
    with call.changing(form.note) as database:
        revoked = revoke_secret(database, call.path["providerId"], secret_id)
    return Reply(answers.Secret.model_validate(revoked))


def _set_status(call: Call, form: forms.Change, status: ProviderStatus) -> Reply:
    with call.changing(form.note) as database:
        set_provider_status(database, call.path["providerId"], status)
        database.flush()
        return _shown(database, call.path["providerId"])


def _set_lock(call: Call, form: forms.Change, *, locked: bool) -> Reply:
    with call.changing(form.note) as database:
        provider_rules.set_lock(database, call.path["providerId"], locked=locked)
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
            networks=list(found.networks),
            limits=Limits.model_validate(found.limits),
        )
    )
