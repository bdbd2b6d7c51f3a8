"""The games of providers: what their lists say, recorded with every change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from sqlalchemy import func, or_, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.chunks import chunks
from models.directory.providers import find_provider
from models.errors import InvalidRequest, NotFound, Superseded
from models.tables import Catalogue, Game, GameChange, Provider

Change = Literal["added", "changed", "gone", "returned"]

#: Begins to ask, unless somebody did so within `:every`. Only one of several gets a row.
_BEGIN = text("""
    insert into catalogue as old (provider_id) values (:provider)
    on conflict (provider_id) do update set asked_at = clock_timestamp()
    where cast(:every as interval) is null
       or old.asked_at <= clock_timestamp() - cast(:every as interval)
    returning asked_at
""")
_TROUBLE_MAX = 500


class ListedGame(NamedTuple):
    """A game as a provider's list has it. What it does not say is None."""

    game_id: str
    name: str
    category: str | None
    max_odd: Decimal | None
    lobby_image_url: str | None


@dataclass(frozen=True, slots=True)
class BadGame:
    """An entry of a list that cannot be read. A game of this id stays as it was."""

    entry: int  # counted from 1
    game_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class ReadCatalogue:
    """What a provider's list says: its games, each once, and the entries that cannot be read."""

    games: Sequence[ListedGame]
    bad: Sequence[BadGame] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """What a list changed: the ids of games by the change, and how many are offered now."""

    games: int
    added: Sequence[str]
    changed: Sequence[str]
    gone: Sequence[str]
    returned: Sequence[str]
    bad: Sequence[BadGame]


def begin_sync(
    database: DbSession, provider_id: int, every: timedelta | None = None
) -> datetime | None:
    """Note that a provider is asked for its games now, and when that was, for `record_games`.

    None: somebody asked less than `every` ago. Commit before you ask.
    """
    values = {"provider": provider_id, "every": every}
    begun: datetime | None = database.execute(_BEGIN, values).scalar_one_or_none()
    return begun


def note_trouble(database: DbSession, provider_id: int, asked_at: datetime, why: str) -> None:
    """Record why asking at `asked_at` failed. The games stay as they were.

    It is no trouble any more if a list that was asked for later is recorded.
    """
    recorded = col(Catalogue.answer_asked_at)
    of = update(Catalogue).where(
        col(Catalogue.provider_id) == provider_id, or_(recorded.is_(None), recorded < asked_at)
    )
    database.execute(of.values(trouble=why[:_TROUBLE_MAX]))


def record_games(
    database: DbSession,
    provider_id: int,
    asked_at: datetime,
    catalogue: ReadCatalogue,
    *,
    allow_empty: bool = False,
) -> Synced:
    """Record a list that was asked for at `asked_at`, and all that it changes, or nothing.

    Raises Superseded if a list that was asked for later is recorded already. Raises InvalidRequest
    if the list is empty although games are offered: a fault of the provider is likelier than that.
    `allow_empty` records that they are gone. Raises InvalidRequest also if no entry can be read.
    """
    row = select(Catalogue).where(Catalogue.provider_id == provider_id).with_for_update()
    recorded = database.exec(row).one()
    if recorded.answer_asked_at is not None and recorded.answer_asked_at >= asked_at:
        raise Superseded("A list of games that was asked for later is recorded already.")
    known = {
        game.game_id: game
        for game in database.exec(select(Game).where(Game.provider_id == provider_id))
    }
    offered = [id_ for id_, game in known.items() if game.gone_at is None]
    _require_games(catalogue, len(offered), allow_empty=allow_empty)
    changes = _changes(known, catalogue)
    _write(database, provider_id, known, catalogue, changes)
    recorded.answer_asked_at = asked_at
    recorded.synced_at = database.execute(select(func.clock_timestamp())).scalar_one()
    recorded.trouble = None
    database.add(recorded)
    by_kind: dict[str, list[str]] = {"added": [], "changed": [], "gone": [], "returned": []}
    for id_, change in changes.items():
        by_kind[change].append(id_)
    left = len(offered) + len(by_kind["added"]) + len(by_kind["returned"]) - len(by_kind["gone"])
    return Synced(left, **by_kind, bad=catalogue.bad)


def require_game(database: DbSession, provider_id: int, game_id: str) -> None:
    """Raise NotFound for a game that the provider's list does not have.

    A provider whose list was never recorded may have any game.
    """
    synced = select(Catalogue.synced_at).where(Catalogue.provider_id == provider_id)
    if database.exec(synced).first() is None:
        return
    game = database.get(Game, (provider_id, game_id))
    if game is None or game.gone_at is not None:
        what = "does not offer the game any more" if game else "has no game"
        raise NotFound(f"The provider {what} {game_id!r} (betcore games list, betcore games sync).")


def providers_to_ask(database: DbSession, counterparty_id: str | None = None) -> list[str]:
    """The counterparty ids of providers to ask: this one, or all that have a URL.

    Raises NotFound.
    """
    if counterparty_id is not None:
        return [find_provider(database, counterparty_id).counterparty_id]
    found = select(Provider.counterparty_id).where(col(Provider.url).is_not(None))
    return list(database.exec(found.order_by(col(Provider.id))))


def _require_games(catalogue: ReadCatalogue, offered: int, *, allow_empty: bool) -> None:
    if catalogue.games:
        return
    if catalogue.bad:
        first = catalogue.bad[0]
        raise InvalidRequest(
            f"None of the {len(catalogue.bad)} entries of the provider's list can be read;"
            f" entry {first.entry}: {first.why} Nothing was changed."
        )
    if offered and not allow_empty:
        raise InvalidRequest(
            f"The provider's list is empty, but {offered} games are offered. Nothing was changed:"
            " an empty list is most often a fault. If the games are gone, allow it (--allow-empty)."
        )


def _changes(known: dict[str, Game], catalogue: ReadCatalogue) -> dict[str, Change]:
    """What happened to which game."""
    changes: dict[str, Change] = {}
    listed = {game.game_id: game for game in catalogue.games}
    unread = {bad.game_id for bad in catalogue.bad}
    for id_, game in listed.items():
        before = known.get(id_)
        if before is None:
            changes[id_] = "added"
        elif before.gone_at is not None:
            changes[id_] = "returned"
        elif _said(before) != game:
            changes[id_] = "changed"
    for id_, before in known.items():
        if id_ not in listed and id_ not in unread and before.gone_at is None:
            changes[id_] = "gone"
    return changes


def _said(game: Game) -> ListedGame:
    return ListedGame(game.game_id, game.name, game.category, game.max_odd, game.lobby_image_url)


def _write(
    database: DbSession,
    provider_id: int,
    known: dict[str, Game],
    catalogue: ReadCatalogue,
    changes: dict[str, Change],
) -> None:
    listed = {game.game_id: game for game in catalogue.games}
    now = func.clock_timestamp()
    of_provider: dict[str, object] = {"provider_id": provider_id}
    added = [of_provider | listed[id_]._asdict() for id_ in changes if changes[id_] == "added"]
    for part in chunks(added):
        database.execute(insert(Game), part)
    for id_, change in changes.items():
        if change in ("changed", "returned"):
            game = known[id_]
            _, game.name, game.category, game.max_odd, game.lobby_image_url = listed[id_]
            game.gone_at = None
            database.add(game)
    gone = [id_ for id_ in changes if changes[id_] == "gone"]
    database.flush()
    mine = update(Game).where(col(Game.provider_id) == provider_id)
    for ids in chunks(gone):
        database.execute(mine.where(col(Game.game_id).in_(ids)).values(gone_at=now))
    database.execute(mine.where(col(Game.gone_at).is_(None)).values(last_seen_at=now))
    history = [
        of_provider
        | (listed[id_] if id_ in listed else _said(known[id_]))._asdict()
        | {"change": change}
        for id_, change in changes.items()
    ]
    for part in chunks(history):
        database.execute(insert(GameChange), part)
