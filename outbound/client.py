"""Calls providers: signed, bounded in time and size, and only where we may (docs/adr/0032)."""

import asyncio
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

import httpx

from models.addresses import CallPolicy
from models.database.transactions import in_transaction
from models.directory.provider_calls import CalledProvider
from models.errors import InvalidRequest
from models.exact_json import exact_json
from models.json_body import read_json
from models.wire_signature import signed_headers
from outbound.bodies import ENCODINGS, read_bounded
from outbound.breaker import Breaker
from outbound.checked_transport import CheckedTransport, Resolve, resolve
from outbound.errors import (
    ProviderAnsweredBadly,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    quoted,
)
from settings import Settings


class Bounds(NamedTuple):
    """How long an answer may take, and how long it may be."""

    seconds: float
    bytes: int


def policy_of(settings: Settings) -> CallPolicy:
    """What the settings allow to call."""
    return CallPolicy(settings.outbound_http_allowed, settings.outbound_private_addresses_allowed)


class Outbound:
    """Calls providers. Use one per process and event loop: its breaker remembers failures."""

    def __init__(
        self,
        settings: Settings,
        *,
        context: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        """`context`: for other certificate authorities. `resolve`: for other names than DNS has."""
        self.settings = settings
        self.policy = policy_of(settings)
        self._context = context or httpx.create_ssl_context(trust_env=False)
        self._resolve = resolve
        self._breaker = Breaker(
            settings.outbound_failures_max,
            settings.outbound_pause_seconds,
            settings.outbound_waiting_max,
        )

    async def get(self, provider: CalledProvider, path: str, bounds: Bounds) -> object:
        """What a GET answers, as JSON whose numbers are exact. Raises ProviderCallFailed."""
        return await self._called(provider, "GET", path, b"", bounds)

    async def post(
        self, provider: CalledProvider, path: str, fields: Mapping[str, object], bounds: Bounds
    ) -> object:
        """What a POST of these fields answers, as `get` does. Raises ProviderCallFailed."""
        body = exact_json(fields, compact=True).encode()
        return await self._called(provider, "POST", path, body, bounds)

    async def _called(
        self, provider: CalledProvider, method: str, path: str, body: bytes, bounds: Bounds
    ) -> object:
        if in_transaction():
            raise RuntimeError("A provider may not be called while a transaction is open.")
        with self._breaker.call(provider.counterparty_id, provider.url):
            try:
                async with asyncio.timeout(bounds.seconds):
                    status, said = await self._exchange(provider, method, path, body, bounds.bytes)
                    # A long answer takes a while to read, and the loop has other work.
                    return await asyncio.to_thread(_read, status, said)
            except (TimeoutError, httpx.TimeoutException):
                raise ProviderTimeout(
                    f"The provider did not answer {method} {path} within {bounds.seconds:g} s."
                ) from None
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise ProviderUnreachable(
                    f"The provider cannot be reached: {quoted(error) or type(error).__name__}."
                ) from None

    async def _exchange(
        self, provider: CalledProvider, method: str, path: str, body: bytes, bytes_max: int
    ) -> tuple[int, bytes]:
        headers = signed_headers(provider.secret, provider.counterparty_id, body)
        headers |= {"Accept": "application/json", "Accept-Encoding": ENCODINGS}
        headers["User-Agent"] = "betcore"
        if body:
            headers["Content-Type"] = "application/json"
        transport = CheckedTransport(self.policy, self._context, self._resolve)
        times = httpx.Timeout(None, connect=self.settings.outbound_connect_within_seconds)
        async with (
            httpx.AsyncClient(
                transport=transport, timeout=times, trust_env=False, follow_redirects=False
            ) as client,
            client.stream(method, provider.url + path, content=body, headers=headers) as response,
        ):
            if response.is_redirect or 300 <= response.status_code < 400:
                raise ProviderAnsweredBadly(
                    f"The provider redirects (HTTP {response.status_code}): we follow no redirect."
                )
            return response.status_code, await read_bounded(response, bytes_max)


def _read(status: int, said: bytes) -> object:
    """The JSON of an answer. Raises ProviderRefused or ProviderAnsweredBadly."""
    try:
        answer = read_json(said)
    except InvalidRequest:
        answer = None
        if status == HTTPStatus.OK:
            shown = quoted(said[:400].decode(errors="replace"))
            raise ProviderAnsweredBadly(f"The provider's answer is no JSON: {shown!r}.") from None
    error = _error(answer)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProviderRefused(f"The provider refuses: HTTP {status}{error and f', {error}'}.")
    if status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise ProviderAnsweredBadly(f"The provider failed: HTTP {status}{error and f', {error}'}.")
    if error:
        raise ProviderRefused(f"The provider refuses: {error}.")
    return answer


def _error(answer: object) -> str:
    """What an answer says in `error`, for people; "" if it has none."""
    if not isinstance(answer, dict) or not answer.get("error"):
        return ""
    said = answer["error"]
    if isinstance(said, dict):
        said = said.get("message") or said.get("code") or exact_json(said)
    return quoted(said)
