"""A site of a file: an identity and sessions that an operator has made for the test."""

import asyncio
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from betcore_kit.conformance.case import Lacking
from betcore_kit.conformance.site import Opened, Wanted
from betcore_kit.errors import KitError, told
from betcore_kit.signing import Identity

#: What `betcore-kit conformance --template` prints.
TEMPLATE = """\
# What `betcore-kit conformance URL --config FILE.toml` needs. Use a test installation: the cases
# move small amounts of money, and leave bets behind. Cases that need what is not here are skipped.

[provider]
counterparty_id = ""
secret = ""

# A second provider, for the cases about what providers must not see of each other.
# [other_provider]
# counterparty_id = ""
# secret = ""
# session = ""             # an open session of its own

# Open sessions, each of another player with 100 or more, without limits of stakes, all in one
# currency with 2 decimals. Two are needed; with eight, the run takes a few seconds.
[[session]]
kind = "play"
id = ""
# player = ""              # the player's id, as `userId` claims it

[[session]]
kind = "play"
id = ""

# A second open session of the same player as one of those above.
# [[session]]
# kind = "play"
# id = ""
# same_player_as = ""      # the id of the other session

# One session of each of these kinds, each of another player.
# [[session]]
# kind = "closed"          # "closed", "expired", or "blocked": an open one of a blocked player
# id = ""
#
# [[session]]
# kind = "limited"
# id = ""
# min_bet = "2"
# max_bet = "10"
"""
_KINDS = ("play", "closed", "expired", "blocked", "limited")


class ConfigSite:
    """Sessions of a file, lent to one case at a time."""

    def __init__(self, content: Mapping[str, Any], where: str = "the configuration") -> None:
        """Raises KitError if the content is not of the template's form."""
        with _of_template(where):
            self._identity = _identity(content["provider"])
            others = content.get("other_provider")
            self._other = dict(others) if others else None
            self._sessions = [_opened(one) for one in content.get("session", [])]
        self._by_kind: dict[str, list[Opened]] = {kind: [] for kind in _KINDS}
        self._seconds: dict[str, Opened] = {}
        for kind, same, opened in self._sessions:
            if kind not in self._by_kind:
                raise KitError(f"{where}: the kind {kind!r} is none of {', '.join(_KINDS)}.")
            if same is not None:
                self._seconds[same] = opened
            else:
                self._by_kind[kind].append(opened)
        if not self._by_kind["play"]:
            raise KitError(f'{where} has no [[session]] of the kind "play".')
        self._by_kind["paired"] = [o for o in self._by_kind["play"] if o.id in self._seconds]
        alone = [o for o in self._by_kind["play"] if o.id not in self._seconds]
        self._by_kind["play"] = alone or self._by_kind["paired"]
        #: A case takes two at most, so that cases never wait for each other in a circle.
        self.parallel = max(1, len(alone) // 2)
        self.seats: int | None = len(self._by_kind["play"])
        self._free: dict[str, asyncio.LifoQueue[Opened]] = {}

    async def identity(self) -> Identity:
        """Return the provider."""
        return self._identity

    async def session(self, wanted: Wanted) -> Opened:
        """Return a session of the file, once it is free. Raises Lacking if there is none."""
        if wanted.replaces or wanted.currency != "EUR":
            raise Lacking("This needs a session that only a sandbox can open.")
        if wanted.same_player_as is not None:
            second = self._seconds.get(wanted.same_player_as)
            if second is None:
                raise Lacking("This needs a second session of the player: see `same_player_as`.")
            return second
        if not self._by_kind[wanted.kind]:
            needed = "second session of a player" if wanted.kind == "paired" else wanted.kind
            raise Lacking(f"This needs a [[session]] of the file: {needed}.")
        return await self._queue(wanted.kind).get()

    async def give_back(self, opened: Opened) -> None:
        """Let another case have the session."""
        kinds = [kind for kind, sessions in self._by_kind.items() if opened in sessions]
        if kinds:
            self._queue(kinds[0]).put_nowait(opened)

    async def another(self) -> "ConfigSite":
        """Return the other provider of the file. Raises Lacking if there is none."""
        if self._other is None:
            raise Lacking("This needs [other_provider].")
        session = {"kind": "play", "id": self._other["session"]}
        return ConfigSite({"provider": self._other, "session": [session]}, "[other_provider]")

    async def act(
        self,
        deed: str,
        subject: str = "",  # noqa: ARG002  # as every site
        **fields: object,  # noqa: ARG002
    ) -> dict[str, object]:
        """Raise Lacking: only an operator can do it."""
        raise Lacking(f"This needs an operator's {deed.replace('_', ' ')}: use --sandbox.")

    def _queue(self, kind: str) -> asyncio.LifoQueue[Opened]:
        if self._by_kind[kind] is self._by_kind["paired"]:
            kind = "paired"
        if kind not in self._free:
            self._free[kind] = asyncio.LifoQueue()
            for opened in self._by_kind[kind]:
                self._free[kind].put_nowait(opened)
        return self._free[kind]


def read_config(path: Path) -> ConfigSite:
    """Return the site of a file. Raises KitError if it cannot be read or has another form."""
    return ConfigSite(_content(path), str(path))


def read_identity(path: Path) -> Identity:
    """Return the provider of a file, which needs no sessions. Raises KitError as `read_config`."""
    content = _content(path)
    with _of_template(str(path)):
        return _identity(content["provider"])


@contextmanager
def _of_template(where: str) -> Iterator[None]:
    """Turn the errors of content that has another form than the template into KitError."""
    try:
        yield
    except KeyError as error:
        raise KitError(f"{where} lacks {error}: see --template.") from None
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise KitError(f"{where} has not the form of --template: {told(error)}.") from None


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise KitError(f"{path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise KitError(f"{path} is not TOML: {error}.") from None


def _identity(content: Mapping[str, Any]) -> Identity:
    return Identity(str(content["counterparty_id"]), str(content["secret"]))


def _opened(content: Mapping[str, Any]) -> tuple[str, str | None, Opened]:
    limits = [content.get(name) for name in ("min_bet", "max_bet")]
    least, most = (None if limit is None else Decimal(str(limit)) for limit in limits)
    if not content["id"]:
        raise KitError("A [[session]] of the configuration has no id: see --template.")
    opened = Opened(str(content["id"]), content.get("player"), "EUR", least, most)
    return str(content["kind"]), content.get("same_player_as"), opened
