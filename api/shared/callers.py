"""Where a request comes from, also behind proxies that the settings name."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from models.errors import BetcoreError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNKNOWN = "unknown"
_SITE_BITS = 64  # of IPv6: a site may use any address of such a network


class BadProxies(BetcoreError):  # noqa: N818
    """BETCORE_TRUSTED_PROXIES cannot be read."""


class Callers:
    """Finds callers. `X-Forwarded-For` is believed only from a trusted proxy."""

    def __init__(self, trusted: str) -> None:
        """`trusted` has networks such as `10.0.0.0/8`, separated by commas. Raises BadProxies."""
        try:
            self._trusted = [
                ipaddress.ip_network(part.strip()) for part in trusted.split(",") if part.strip()
            ]
        except ValueError as error:
            raise BadProxies(f"BETCORE_TRUSTED_PROXIES: {error}.") from None

    def address(self, scope: Mapping[str, Any]) -> str:
        """The caller's address: the last one that no trusted proxy has."""
        client = scope.get("client")
        found = _read(client[0]) if client else None
        if found is None:
            return _UNKNOWN
        for named in reversed(list(_forwarded(scope["headers"]))):
            if not self._is_trusted(found):
                break
            before = _read(named)
            if before is None:  # whatever stands there, the proxy did not know the caller
                break
            found = before
        return str(found)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def site_of(address: str) -> str:
    """What to count an address by: an IPv6 address counts as its network of 64 bits."""
    found = _read(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(found) >> _SITE_BITS << _SITE_BITS, _SITE_BITS)))
    return address


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    for name, value in headers:
        if name == b"x-forwarded-for":
            yield from value.decode("latin-1").split(",")


def _read(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
