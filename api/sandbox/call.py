"""One call of the sandbox: what every handler gets."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.shared.work import Work
from models.directory.sandbox import SandboxProvider
from models.errors import InvalidRequest

_WHOLE_MAX = 128  # characters of a player's id


@dataclass(frozen=True, slots=True)
class Visit(Work):
    """A request of somebody who has no provider yet. `base` is the address of the portal."""

    base: str


@dataclass(frozen=True, slots=True)
class Call(Work):
    """A request of a provider. It reaches only what is this provider's own.

    `path` has the decoded parameters of the path.
    """

    provider: SandboxProvider
    path: Mapping[str, str]

    @property
    def provider_id(self) -> str:
        """The name of its provider on the wire."""
        return self.provider.counterparty_id

    def player(self, name: str) -> str:
        """The id of a player of this provider: what `userId` claims. It may be given whole.

        Raises InvalidRequest if it is too long.
        """
        prefix = f"{self.provider_id}:"
        whole = name if name.startswith(prefix) and name != prefix else f"{prefix}{name}"
        if len(whole) > _WHOLE_MAX:
            raise InvalidRequest(f"player must have at most {_WHOLE_MAX - len(prefix)} characters.")
        return whole
