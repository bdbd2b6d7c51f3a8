"""The providers at the other end of a connection, as far as signatures have proved them."""

from collections.abc import MutableMapping
from typing import Any, Final

#: The key in a request's scope where our server puts its Peer.
PEER: Final = "betcore.peer"
#: Providers per connection. A proxy may have more, but does not need to be known.
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
        """Return whether a signature of that provider was good there."""
        return counterparty_id in self._providers

    def note(self, counterparty_id: bytes) -> None:
        """Record that a signature of that provider was good."""
        if len(self._providers) < _PROVIDERS_MAX:
            self._providers.add(counterparty_id)


def peer_of(scope: MutableMapping[str, Any]) -> Peer:
    """Return the peer of a request. Under a server that sets none, it is a stranger."""
    peer = scope.get(PEER)
    return peer if isinstance(peer, Peer) else Peer()
