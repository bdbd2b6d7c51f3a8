"""Which addresses we call: a provider's URL, and what its name resolves to (docs/adr/0032).

Without a setting that says otherwise, only public addresses are called, and only by HTTPS. So
nobody who may name a URL reaches a machine of ours with it.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from models.errors import InvalidRequest

URL_MAX = 2048  # characters
_PORTS = {"https": 443, "http": 80}
_FIRST_FREE_PORT = 1024  # below it are services of other kinds, such as mail
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Systems read a name that ends in a number as an IPv4 address in another form: 0x7f.1, 2130706433.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_VISIBLE = re.compile(r"[!-~]+")

IPAddress = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(ip_network(text) for text in texts)


#: Never called: nobody's, groups, and link-local ones, where clouds answer with their credentials.
_NEVER = _networks(
    *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/128", "fe80::/10", "fec0::/10", "ff00::/8"),
)
#: Addresses inside of networks, which only the setting allows.
_PRIVATE = _networks(
    *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("::1/128", "fc00::/7"),
)
#: Not public either: for documentation, for tests of networks, for the translation of addresses.
_SPECIAL = _networks(
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
)
_PUBLIC_V6 = ip_network("2000::/3")
#: An IPv4 address stands behind the last 32 bits: the same machine by another name.
_WITH_IPV4 = _networks("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What may be called besides public addresses by HTTPS."""

    http: bool = False
    private: bool = False


def why_not_called(address: IPAddress, policy: CallPolicy) -> str | None:
    """Why an address may not be called, such as "a private address"; None: it may be."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "an address of one link"
        if any(address in network for network in _WITH_IPV4):
            return why_not_called(IPv4Address(int(address) & 0xFFFFFFFF), policy)
    if any(address in network for network in _NEVER):
        return "an address that is never called"
    if any(address in network for network in _PRIVATE):
        return None if policy.private else "a private address"
    special = any(address in network for network in _SPECIAL)
    if special or (isinstance(address, IPv6Address) and address not in _PUBLIC_V6):
        return "no public address"
    return None


def read_provider_url(url: str, policy: CallPolicy) -> str:
    """A provider's base URL in its one form, without a slash at the end.

    Raises InvalidRequest, which says what is wrong with it.
    """
    found = _split(url, "The URL")
    if "?" in url or "#" in url:
        raise InvalidRequest("The URL may have no query and no fragment.")
    _require_scheme(found, policy, "The URL")
    host, port = _host(found, "The URL"), found.port
    own = _PORTS[found.scheme]
    if port is not None and port != own and port < _FIRST_FREE_PORT and not policy.private:
        raise InvalidRequest(f"The URL's port may be {own}, or {_FIRST_FREE_PORT} and above.")
    if any(part in (".", "..") for part in found.path.lower().replace("%2e", ".").split("/")):
        raise InvalidRequest("The URL's path may not have the parts '.' and '..'.")
    literal = _literal(host)
    if literal is not None and (why := why_not_called(literal, policy)):
        raise InvalidRequest(f"The URL's address {literal} may not be called: it is {why}.")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in (None, own) else f"{shown}:{port}"
    return f"{found.scheme}://{place}{found.path.rstrip('/')}"


def read_link(url: object, name: str, policy: CallPolicy) -> str:
    """A URL that a browser opens: HTTPS, or HTTP if the policy allows it. We never call it.

    Raises InvalidRequest, which names the field.
    """
    if type(url) is not str:
        raise InvalidRequest(f"{name} is no text.")
    found = _split(url, name)
    _require_scheme(found, policy, name)
    if not found.hostname:
        raise InvalidRequest(f"{name} names no host.")
    _host(found, name)
    return url


def _split(url: str, name: str) -> SplitResult:
    if not _VISIBLE.fullmatch(url) or len(url) > URL_MAX or "\\" in url:
        raise InvalidRequest(
            f"{name} is no URL: it has 1 to {URL_MAX} visible ASCII characters without '\\'."
            " Write another script in its ASCII form (xn--…)."
        )
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        raise InvalidRequest(f"{name} is no URL.") from None
    if port == 0 or found.netloc.endswith(":"):
        raise InvalidRequest(f"{name} has no port after its colon.")
    if "@" in found.netloc:
        raise InvalidRequest(f"{name} may hold no user and no password.")
    return found


def _require_scheme(found: SplitResult, policy: CallPolicy, name: str) -> None:
    allowed = ("https", "http") if policy.http else ("https",)
    if found.scheme not in allowed:
        raise InvalidRequest(
            f"{name} must begin with {' or '.join(f'{one}://' for one in allowed)}."
        )


def _host(found: SplitResult, name: str) -> str:
    """The host in lower case. Raises InvalidRequest for what is not exactly one name or address."""
    host = (found.hostname or "").lower()
    if _literal(host) is not None:
        return host
    if "[" in found.netloc:
        raise InvalidRequest(f"{name}'s host in brackets is no address of IPv6.")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidRequest(
            f"{name}'s host is no name such as games.example.com, without a point at its end."
        )
    if _NUMBER.fullmatch(labels[-1]):
        raise InvalidRequest(
            f"{name}'s host ends in a number, but is no address such as 192.0.2.1."
        )
    return host


def _literal(host: str) -> IPAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
