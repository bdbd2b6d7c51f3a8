"""Who is at the other end of a connection, as far as signatures have proved it."""

from collections.abc import MutableMapping
from typing import Any, Final

#: Where a server that knows connections puts the Peer of a request, in its scope.
PEER: Final = "betcore.peer"
#: Providers of one connection; more come only through a proxy, which does not need to be known.
_PROVIDERS_MAX: Final = 64


class Peer:
    """The providers whose signature was good on one connection."""

    __slots__ = ("_providers",)

    def __init__(self) -> None:
        self._providers: set[bytes] = set()

    @property
    def known(self) -> bool:
        """Whether any signature was good there."""
        return bool(self._providers)

    def knows(self, counterparty_id: bytes) -> bool:
        """Whether a signature of that provider was good there."""
        return counterparty_id in self._providers

    def note(self, counterparty_id: bytes) -> None:
        """Note that a signature of that provider is good."""
        if len(self._providers) < _PROVIDERS_MAX:
            self._providers.add(counterparty_id)


def peer_of(scope: MutableMapping[str, Any]) -> Peer:
    """The peer of a request; from a server that knows no connections, a stranger."""
    peer = scope.get(PEER)
    return peer if isinstance(peer, Peer) else Peer()
