"""Where a case gets what it needs: a provider, and sessions of players of its own."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from betcore_kit.signing import Identity


@dataclass(frozen=True)
class Wanted:
    """The session that a case needs.

    `kind` is `play` (an open one), `paired` (the same, and its player may have a second one),
    `closed`, `expired`, `blocked`, or `limited` (with stakes between a minimum and a maximum).
    `same_player_as` is the id of another session.
    """

    kind: str = "play"
    balance: str = "1000"
    currency: str = "EUR"
    same_player_as: str | None = None
    replaces: bool = False  # ends the other sessions of this player


@dataclass(frozen=True)
class Opened:
    """A session that a case may use."""

    id: str
    player: str | None = None
    currency: str = "EUR"
    min_bet: Decimal | None = None
    max_bet: Decimal | None = None
    game: str | None = field(default=None)


class Site(Protocol):
    """What gives cases their identity and sessions. What it cannot do raises `Lacking`."""

    #: How many cases may run at the same time.
    parallel: int
    #: How many players it can give at the same time. None: as many as are wanted.
    seats: int | None

    async def identity(self) -> Identity:
        """Return the provider that most cases call as."""

    async def session(self, wanted: Wanted) -> Opened:
        """Return a session that nobody else uses until it is given back."""

    async def give_back(self, opened: Opened) -> None:
        """Take a session back. A case gives back each one that it got."""

    async def another(self) -> "Site":
        """Return a site of another provider, which the case may change as it likes."""

    async def act(self, deed: str, subject: str = "", **fields: object) -> dict[str, object]:
        """Do something that an operator does, such as `close` a session or `block` a player."""
