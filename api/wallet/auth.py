"""Authenticates requests: checks each signature against its provider's secrets. Stores nothing."""

import asyncio
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from api.wallet.answer_counts import KNOWN
from api.wallet.calls import Call
from api.wallet.coalesced import Coalesced, LookupFailed
from api.wallet.errors import UNSIGNED, ApiError, above_rate, try_later, unauthorized
from api.wallet.provider_rules import Rules, rules_of
from api.wallet.provider_secrets import ProviderSecrets, Secrets, SecretsLocked, keyed
from models.deadline import Deadline
from models.errors import UnsupportedDatabase
from models.keys import BadKey, NoKey
from models.ledger.gateway_reads import GatewayReads, StoredRules
from server.callers import Callers
from settings import Settings

_NOBODY = (0, (keyed("nobody's secret: its signature is never accepted"),))
# A failed authentication reads newer secrets. This limits what a flood of failures can cost.
_SPACING_SECONDS = 0.05
# Errors with our own text. A driver's message may name hosts and users.
_TELLABLE = (UnsupportedDatabase, NoKey, BadKey, SecretsLocked)
_UNKNOWN: Mapping[str, Any] = MappingProxyType({})  # a scope that does not say who calls
_UNREACHABLE = "PostgreSQL cannot be reached or read; the log says why."


class Signed(NamedTuple):
    """A call with a good signature."""

    provider_id: int
    call: Call
    at: float = 0.0  # time.monotonic() when that was known


class _Newest(NamedTuple):
    """What was read of the providers, and the monotonic time at which the reading began."""

    read_at: float
    secrets: Secrets
    rules: Sequence[StoredRules]


class Authenticator:
    """Knows every active secret, and what providers may not do.

    Both are at most `directory_max_age_seconds` old.
    """

    def __init__(self, settings: Settings, reads: GatewayReads) -> None:
        self._settings = settings
        self._secrets: Secrets = {}
        self._rules: Mapping[str, Rules] = {}
        self._callers = Callers(settings.trusted_proxies)
        self._read_at = float("-inf")  # loop time when the reading of `_secrets` began
        self._trouble = _UNREACHABLE
        self._provider_secrets = ProviderSecrets(settings)
        self._newest: Coalesced[None, _Newest] = Coalesced(
            lambda keys: [self._read(reads)] * len(keys), reads.close, _SPACING_SECONDS
        )
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to reread the secrets periodically."""
        self._keeper = asyncio.create_task(self._keep_fresh())

    async def stop(self) -> None:
        """Stop reading."""
        if self._keeper is not None:
            self._keeper.cancel()
        await self._newest.stop()

    async def authenticate(
        self, call: Call, deadline: Deadline, scope: Mapping[str, Any] = _UNKNOWN
    ) -> Signed:
        """Return the call if its timestamp is recent and its signature good.

        Its provider may not be locked, and the caller, of this ASGI scope, must be on the
        provider's allow-list.

        A secret that was just added is valid immediately: a call that fails is checked again with
        newly read secrets. Raises ApiError: the same 401 for every reason; 503 if secrets cannot be
        read.
        """
        tolerance_ms = self.tolerance_ms
        age_ms = time.time() * 1000 - call.stamp_ms
        if abs(age_ms) > tolerance_ms:
            raise _out_of_time(age_ms, tolerance_ms)
        if self._age() > self._settings.directory_max_age_seconds:
            await self.refresh(deadline)
        provider_id = self._signer(call, scope)
        if provider_id is None:
            await self.refresh(deadline)
            provider_id = self._signer(call, scope)
        if provider_id is None:
            raise self._badly_signed(call, scope)
        return Signed(provider_id, call, time.monotonic())

    def count(self, signed: Signed) -> None:
        """Count a signed call. Raises ApiError 99 if its provider sends more than it may."""
        rules = self._rules.get(signed.call.counterparty_id.decode()) if self._rules else None
        if rules and rules.allowance and not rules.allowance.take(time.monotonic()):
            raise above_rate()

    @property
    def tolerance_ms(self) -> float:
        """How far a timestamp may be behind our clock, or ahead of it."""
        return self._settings.timestamp_tolerance_seconds * 1000

    def knows(self, counterparty_id: str) -> bool:
        """Whether there is such a provider with a secret. For a sandbox only."""
        return counterparty_id in self._secrets

    def secrets_of(self, counterparty_id: str) -> list[str] | None:
        """The secrets of a provider, or None if there is no such one. For a sandbox only."""
        known = counterparty_id in self._secrets
        return self._provider_secrets.plain(counterparty_id) if known else None

    def keyed_of_others(self, counterparty_id: str) -> Iterator[hmac.HMAC]:
        """The secrets of all other providers, as `Secrets` has them. For a sandbox only."""
        for named, (_, secrets) in self._secrets.items():
            if named != counterparty_id:
                yield from secrets

    @property
    def fresh(self) -> bool:
        """Whether the secrets are recent enough to judge by."""
        return self._age() <= self._settings.directory_max_age_seconds

    @property
    def trouble(self) -> str:
        """Why nobody can be authenticated, in one line for an operator. "": they can."""
        return "" if self.fresh else self._trouble

    @property
    def warnings(self) -> list[str]:
        """Which providers cannot be authenticated, though others can, in lines for an operator."""
        return self._provider_secrets.warnings

    def why_refused(self, counterparty_id: str, scope: Mapping[str, Any]) -> str:
        """Return why the provider's rules refuse this caller; "": they do not."""
        rules = self._rules.get(counterparty_id)
        return rules.why_refused(partial(self._callers.address_of, scope)) if rules else ""

    def _signer(self, call: Call, scope: Mapping[str, Any]) -> int | None:
        """Return the provider that signed the call, if this caller may call for it.

        An unknown provider takes the same work.
        """
        counterparty_id = call.counterparty_id.decode()
        provider_id, secrets = self._secrets.get(counterparty_id, _NOBODY)
        good = False
        for secret in secrets:
            expected = secret.copy()
            expected.update(call.message)
            good |= hmac.compare_digest(expected.hexdigest().encode(), call.signature)
        if not good or secrets is _NOBODY[1]:
            return None
        return None if self.why_refused(counterparty_id, scope) else provider_id

    def _badly_signed(self, call: Call, scope: Mapping[str, Any]) -> ApiError:
        """Return one error for all that cannot be authenticated, with the same log throttle.

        With separate throttles, the time of the answer would reveal which providers exist.
        """
        counterparty_id = call.counterparty_id.decode()
        detail = "the provider is unknown"
        if refused := self.why_refused(counterparty_id, scope):
            detail = refused
        elif counterparty_id in self._secrets:
            detail = "no secret of the provider matches it"
        elif counterparty_id in self._provider_secrets.locked:
            detail = "the gateway does not have the key of its secrets"
        return unauthorized(UNSIGNED, detail)

    async def refresh(self, deadline: Deadline) -> None:
        """Read secrets and rules anew. Raises ApiError if they cannot be read."""
        try:
            self._take(await self._newest.get(None, deadline))
        except LookupFailed:
            raise try_later("The providers cannot be looked up at the moment.") from None

    def _read(self, reads: GatewayReads) -> _Newest:
        read_at = time.monotonic()
        directory = reads.directory()
        return _Newest(
            read_at, self._provider_secrets.decrypted(directory.secrets), directory.rules
        )

    def _take(self, newest: _Newest) -> None:
        self._read_at, self._secrets, rules = newest
        gateways = self._settings.rate_gateways
        self._rules = rules_of(rules, self._rules, gateways, time.monotonic())
        KNOWN.replace({*self._secrets, *self._provider_secrets.locked, *self._rules})

    async def _keep_fresh(self) -> None:
        while True:
            try:
                within = Deadline.within(self._settings.directory_max_age_seconds)
                self._take(await self._newest.get(None, within))
            except LookupFailed as failure:
                tellable = isinstance(failure.__cause__, _TELLABLE)
                self._trouble = str(failure) if tellable else _UNREACHABLE
            await asyncio.sleep(self._settings.directory_refresh_seconds)

    def _age(self) -> float:
        return time.monotonic() - self._read_at


def _out_of_time(age_ms: float, tolerance_ms: float) -> ApiError:
    cause = "the timestamp is too old" if age_ms > 0 else "the timestamp is too far ahead"
    detail = "it is %.1f s %s our clock, and may be %.0f s"
    side = "behind" if age_ms > 0 else "ahead of"
    return unauthorized(cause, detail, abs(age_ms) / 1000, side, tolerance_ms / 1000)
