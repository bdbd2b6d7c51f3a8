"""Providers of the sandbox: made, suspended, limited; their secrets, and their last requests."""

import secrets

from api.sandbox import answers, forms
from api.sandbox.call import Call, Visit
from api.shared.forms import Nothing
from api.shared.limits import Limits, SetLimits, limits_of
from broker.sandbox import requests_after
from models.directory.provider_rules import replace_limits
from models.directory.providers import (
    ProviderStatus,
    add_provider,
    add_secret,
    list_secrets,
    revoke_secret,
    set_provider_status,
)
from models.directory.sandbox import add_token

_SECRETS_MAX = 4  # each costs time at every request


def add(visit: Visit, form: forms.NewProvider) -> answers.NewProvider:
    """Make a provider with a secret and a token."""
    settings = visit.services.settings
    name = f"sandbox {form.name or 'provider'} {secrets.token_hex(4)}"  # a name is never taken
    with visit.changing(None) as database:
        made = add_provider(database, name, visit.services.cipher)
        token = add_token(database, made.counterparty_id, settings.sandbox_providers_max)
    wallet = (
        settings.sandbox_wallet_url or f"http://{settings.gateway_host}:{settings.gateway_port}"
    )
    return answers.NewProvider(
        provider_id=made.counterparty_id,
        secret=made.secret,
        token=token,
        wallet_url=wallet,
        sandbox_url=settings.sandbox_url or visit.base,
    )


def suspend(call: Call, form: Nothing) -> answers.Provider:  # noqa: ARG001
    """Refuse new bets of the provider."""
    return _set_status(call, "suspended")


def resume(call: Call, form: Nothing) -> answers.Provider:  # noqa: ARG001
    """Accept bets of the provider again."""
    return _set_status(call, "active")


def new_secret(call: Call, form: Nothing) -> answers.Secret:  # noqa: ARG001
    """Add a secret. The newest ones remain valid, the oldest above the limit is revoked."""
    with call.changing(None) as database:
        _, secret = add_secret(database, call.provider_id, call.services.cipher)
        active = [one for one in list_secrets(database, call.provider_id) if not one.revoked_at]
        for old in active[:-_SECRETS_MAX]:
            revoke_secret(database, call.provider_id, old.secret_id)
    return answers.Secret(secret=secret)


def set_limits(call: Call, form: SetLimits) -> Limits:
    """Set exactly these limits, and take all others away."""
    limits = limits_of(form)
    with call.changing(form.note) as database:
        return Limits.model_validate(replace_limits(database, call.provider_id, limits))


async def list_requests(call: Call, form: forms.ListRequests) -> answers.Requests:
    """List the last requests of the provider, and what was made of each."""
    found = await requests_after(call.services.ask_redis, call.provider_id, form.after)
    items = [{"id": place} | request for place, request in found]
    return answers.Requests(items=items, next=found[-1][0] if found else form.after)


def _set_status(call: Call, status: ProviderStatus) -> answers.Provider:
    with call.changing(None) as database:
        set_provider_status(database, call.provider_id, status)
    return answers.Provider(provider_id=call.provider_id, status=status)
