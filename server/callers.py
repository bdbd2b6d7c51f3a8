"""The caller's address. A reverse proxy's word for it counts only if the proxy is trusted."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REMEMBERED = 4096  # addresses whose text was read
_SITE_BITS = 64


class Callers:
    """Finds who sent a request, behind any number of trusted proxies."""

    def __init__(self, trusted_proxies: str) -> None:
        """`trusted_proxies`: networks, separated by commas. Raises ValueError."""
        self._trusted = read_networks(trusted_proxies.split(","))

    def address_of(self, scope: Any) -> Address | None:
        """Return the caller's address of an ASGI scope, or None if it cannot be told.

        Each trusted proxy adds at the end of `X-Forwarded-For` who called it. So the list is read
        from its end, until an address that is not a trusted proxy's. What stands before that may be
        invented.
        """
        client = scope.get("client")
        address = _read(client[0]) if client else None
        if address is None or not is_within(address, self._trusted):
            return address
        for hop in reversed(_forwarded_for(scope["headers"])):
            address = _read(hop)
            if address is None or not is_within(address, self._trusted):
                return address
        return address

    def is_https(self, scope: Any) -> bool:
        """Return whether the caller used HTTPS, as the nearest trusted proxy says."""
        client = scope.get("client")
        address = _read(client[0]) if client else None
        if address is not None and is_within(address, self._trusted):
            said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
            if said:
                return bool(said[-1].rpartition(b",")[2].strip().lower() == b"https")
        return bool(scope.get("scheme") == "https")


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that these texts name. Empty texts are left out. Raises ValueError."""
    return tuple([ip_network(text.strip()) for text in texts if text.strip()])


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether an address belongs to one of the networks."""
    return any(address in network for network in networks)


def site_of(address: str) -> str:
    """Return what to count an address by: of IPv6, its network of 64 bits.

    A site may use any address of such a network.
    """
    found = _read(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((int(found) >> _SITE_BITS << _SITE_BITS, _SITE_BITS)))
    return address


@lru_cache(maxsize=_REMEMBERED)
def _read(text: str) -> Address | None:
    """An address as proxies write it: perhaps with a port, brackets or a zone. None: it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions names an IPv4 caller as `::ffff:192.0.2.1`.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The addresses of all `X-Forwarded-For` headers, in the order of the proxies."""
    values = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return [hop for hop in ",".join(values).split(",") if hop.strip()]
