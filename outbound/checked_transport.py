"""Connects only to addresses that may be called: what is checked is what is connected to.

A name is resolved once per call. Every address that it has must be allowed, and the connection goes
to one of them, not to the name. So a name that changes in between changes nothing.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from socket import SOCK_STREAM, gaierror, getaddrinfo

import httpx

from models.addresses import CallPolicy, IPAddress, why_not_called
from outbound.errors import ProviderUnreachable

#: The addresses of a host and port. Raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[IPAddress]]]

_PORTS = {"https": 443, "http": 80}
_ADDRESSES_MAX = 4  # that are tried; more would only lengthen a failure
# The system's resolver may hang for long. So it has threads of its own.
_RESOLVERS = ThreadPoolExecutor(8, "resolve")


async def resolve(host: str, port: int) -> Sequence[IPAddress]:
    """What the system knows. An address is its own."""
    ask = partial(getaddrinfo, host, port, type=SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)
    return [ip_address(place[0]) for *_, place in found]


class CheckedTransport(httpx.AsyncBaseTransport):
    """For one call. No connection is kept: one of another name to the same address is not reused,
    because it was checked for that name.
    """

    def __init__(self, policy: CallPolicy, context: ssl.SSLContext, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx. Raises ProviderUnreachable, and errors of httpx."""
        host = request.url.host
        refused: httpx.HTTPError | None = None
        for address in await self._addresses(host, request.url.port or _PORTS[request.url.scheme]):
            # The server's name remains that of the URL: for TLS, and in the header Host.
            request.extensions = {**request.extensions, "sni_hostname": host}
            checked = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
            try:
                return await self._inner.handle_async_request(checked)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error  # nothing was sent: the next address may be tried
        raise refused or ProviderUnreachable(f"The provider's host {host} has no address.")

    async def aclose(self) -> None:
        """Called by httpx."""
        await self._inner.aclose()

    async def _addresses(self, host: str, port: int) -> Sequence[IPAddress]:
        try:
            found = list(dict.fromkeys(await self._resolve(host, port)))
        except (gaierror, UnicodeError) as error:
            raise ProviderUnreachable(
                f"The provider's host {host} cannot be resolved: {error}."
            ) from None
        for address in found:
            if why := why_not_called(address, self._policy):
                raise ProviderUnreachable(
                    f"The provider's host {host} has the address {address}, which may not be"
                    f" called: it is {why}."
                )
        return found[:_ADDRESSES_MAX]
