"""Why a call to a provider failed, as a tree; every text is one line for an operator.

ProviderCallFailed
├── ProviderUnreachable  no connection: no such name, refused, TLS, or an address we may not call
├── ProviderTimeout      no whole answer in time
├── ProviderAnsweredBadly   not JSON, not of this call's form, too long, a redirect, HTTP 5xx
├── ProviderRefused      the provider says no, by HTTP 4xx or an `error` in its answer
├── ProviderPaused       too many calls failed in a row: none is made for a while
└── ProviderBusy         too many calls to this provider wait for an answer
"""

from typing import ClassVar

from models.errors import BetcoreError

_TEXT_MAX = 200


class ProviderCallFailed(BetcoreError):  # noqa: N818
    """A call to the provider failed."""

    counts: ClassVar[bool] = True  # whether it shows that the provider does not work


class ProviderUnreachable(ProviderCallFailed):
    """The provider cannot be reached."""


class ProviderTimeout(ProviderCallFailed):
    """The provider did not answer in time."""


class ProviderAnsweredBadly(ProviderCallFailed):
    """The provider's answer is not what the protocol says."""


class ProviderRefused(ProviderCallFailed):
    """The provider refuses this call."""

    counts = False


class ProviderPaused(ProviderCallFailed):
    """Calls to the provider pause."""

    counts = False


class ProviderBusy(ProviderCallFailed):
    """Too many calls to the provider wait for an answer."""

    counts = False


def quoted(said: object) -> str:
    """What a provider said, on one line and not too long, for a message of ours."""
    text = " ".join(str(said).split())
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown if len(shown) <= _TEXT_MAX else f"{shown[:_TEXT_MAX]}…"
