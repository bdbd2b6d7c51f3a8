"""Search of bets, in pages. Every way to search is backed by an index.

A request id is not recorded with a bet: an index of them would cost every bet (docs/adr/0024). The
log of answers names the request ids of refusals, with the bet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import TextClause, text
from sqlmodel import Session as DbSession

from models.commands import read_text
from models.database.transactions import one_moment, transaction
from models.directory.providers import find_provider
from models.errors import InvalidRequest
from models.ledger.state import BetState
from models.reports.bet import ShownTransfer, bet_transfers
from models.reports.paging import PAGE_ROWS
from models.reports.parties import show_player, show_session

#: Where a page begins: parameters of its query, as text or numbers.
Position = Mapping[str, object]
_LAST = 2**63 - 1

STATES = tuple(str(state) for state in BetState)


@dataclass(frozen=True, slots=True)
class BetFilter:
    """Which bets are wanted. None means any.

    One of these must be given: `transaction_id`; `provider` and `bet_id`; `session_id`; `round_id`;
    `player`; `provider` and the state open. The others then narrow the result.
    """

    provider: str | None = None  # its `X-Counterparty-Id`
    bet_id: str | None = None
    transaction_id: int | None = None  # of any transfer of the bet
    session_id: str | None = None
    round_id: str | None = None
    player: str | None = None  # its id in the operator's own system
    state: str | None = None
    older_than: timedelta | None = None  # only bets recorded at least this long ago


@dataclass(frozen=True, slots=True)
class ListedBet:
    """One bet. What does not apply is None."""

    bet_id: str
    provider: str
    state: str
    opened_by: str
    stake: Decimal | None
    win: Decimal | None
    odd: Decimal | None
    round_id: str | None
    currency: str
    account_id: int
    player: str
    session_id: str
    refused_with: int | None
    reason: str | None
    created_at: datetime
    updated_at: datetime
    game: str | None  # that of the session, otherwise as the bet names it
    id: int  # its row, which its transfers name
    transfers: tuple[ShownTransfer, ...] = ()  # only of `find_whole_bets`

    def row(self) -> dict[str, object]:
        """The fields with the names of the API."""
        return {
            "createdAt": self.created_at,
            "provider": self.provider,
            "betId": self.bet_id,
            "state": self.state,
            "openedBy": self.opened_by,
            "betAmount": self.stake,
            "winAmount": self.win,
            "winOdd": self.odd,
            "currency": self.currency,
            "gameRoundId": self.round_id,
            "player": self.player,
            "accountId": str(self.account_id),
            "sessionId": self.session_id,
            "refusedWith": self.refused_with,
            "reason": self.reason,
            "updatedAt": self.updated_at,
            "gameId": self.game,
        }


@dataclass(frozen=True, slots=True)
class BetPage:
    """Some bets, and where the next page begins: None after the last one."""

    items: tuple[ListedBet, ...]
    next: Position | None


class _Way(NamedTuple):
    """One way to search: the rows of its source, in an order that an index has."""

    source: str  # the tables; `bet` is one of them
    where: str
    order: str
    first: Position
    after: tuple[str, ...]  # the columns that begin the next page, by the names in `first`


_FILTERS = """
    (cast(:provider_id as integer) is null or bet.provider_id = :provider_id)
    and (cast(:accounts as bigint[]) is null or bet.account_id = any(:accounts))
    and (cast(:session as text) is null or bet.session_id = :session)
    and (cast(:round as text) is null or bet.round_id = :round)
    and (cast(:bet_id as text) is null or bet.bet_id = :bet_id)
    and (cast(:state as text) is null or bet.state = :state)
    and (cast(:age as interval) is null or bet.created_at <= now() - cast(:age as interval))
"""

#: Those of `_query` that make a `ListedBet`; the transfers are read apart.
_COLUMNS = len(ListedBet.__slots__) - 1

# The ids of bets are drawn in blocks, so that they are not in the order of time.
_OLDEST_FIRST = _Way(
    "bet",
    "(bet.created_at, bet.id) > (cast(:after as timestamptz), :after_id)",
    "created_at, id",
    {"after": "-infinity", "after_id": 0},
    ("created_at", "id"),
)
_WAYS = {
    "transaction": _OLDEST_FIRST._replace(
        where="bet.id = (select bet from transfer where id = :transaction)"
        " and (bet.created_at, bet.id) > (cast(:after as timestamptz), :after_id)"
    ),
    "bet_id": _OLDEST_FIRST,
    # The index has the rounds of each provider apart.
    "round": _OLDEST_FIRST._replace(
        source="""provider, lateral (
            select * from bet
            where hashtextextended(round_id, provider_id) = hashtextextended(:round, provider.id)
              and round_id = :round and provider_id + 0 = provider.id
        ) bet"""
    ),
    "open": _OLDEST_FIRST,
    # A rejected bet has no transfer of its own time. It has an index for itself.
    "rejected": _Way(
        "bet",
        "bet.state = 'rejected'"
        " and (bet.created_at, bet.id) < (cast(:before as timestamptz), :before_id)",
        "created_at desc, id desc",
        {"before": "infinity", "before_id": _LAST},
        ("created_at", "id"),
    ),
    # Every other bet has a stake, or is a tombstone, which has a refund. Account by account, the
    # newest first: an index has the transfers of each account in order.
    "account": _Way(
        f"""unnest(cast(:accounts as bigint[])) owner(id), lateral (
            select bet.*, t.account_seq as seq
            from transfer t join bet on bet.id = t.bet
            where t.account = owner.id
              and t.account_seq < case when owner.id = :account then :seq else {_LAST} end
              and (t.kind = 'stake' or (t.kind = 'refund' and bet.state = 'cancelled'))
              and {_FILTERS}
            order by t.account_seq desc limit :rows
        ) bet""",  # noqa: S608 - the only things put in are constants
        "owner.id >= :account",
        "account_id, seq desc",
        {"account": 0, "seq": _LAST},
        ("account_id", "seq"),
    ),
}


def find_bets(
    database_url: str, wanted: BetFilter, rows: int, begin: Position | None = None
) -> BetPage:
    """At most `rows` bets, from the beginning or from a `next` of this very search.

    Open bets and those of a round come the oldest first. Bets of a player or session come the
    newest first, one account after the other, without rejected ones unless the state asks for them.
    Raises NotFound, or InvalidRequest when nothing is named that an index can find.
    """
    with transaction(database_url) as database:
        return _page(database, wanted, rows, begin)


def find_whole_bets(
    database_url: str, wanted: BetFilter, rows: int, begin: Position | None = None
) -> BetPage:
    """As `find_bets`, with the transfers of each bet, all as of one moment."""
    with one_moment(database_url) as database:
        page = _page(database, wanted, rows, begin)
        of = bet_transfers(database, [bet.id for bet in page.items])
    items = [replace(bet, transfers=tuple(of.get(bet.id, ()))) for bet in page.items]
    return BetPage(tuple(items), page.next)


def _page(database: DbSession, wanted: BetFilter, rows: int, begin: Position | None) -> BetPage:
    way, values = _way(database, wanted)
    found = database.execute(
        _query(way), values | dict(begin or way.first) | {"rows": rows + 1}
    ).all()
    items = tuple([ListedBet(*row[:_COLUMNS]) for row in found[:rows]])
    if len(found) <= rows:
        return BetPage(items, None)
    last = found[rows - 1]._mapping
    places = zip(way.first, way.after, strict=True)
    return BetPage(items, {name: _plain(last[f"place_{column}"]) for name, column in places})


def all_bets(database_url: str, wanted: BetFilter) -> Iterator[ListedBet]:
    """All bets of a search, read in pages as the caller takes them. Raises as `find_bets`."""
    page = find_bets(database_url, wanted, PAGE_ROWS)
    yield from page.items
    while page.next is not None:
        page = find_bets(database_url, wanted, PAGE_ROWS, page.next)
        yield from page.items


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _way(database: DbSession, wanted: BetFilter) -> tuple[_Way, dict[str, object]]:
    """How to search, and the parameters. Raises NotFound or InvalidRequest."""
    if wanted.state is not None and wanted.state not in STATES:
        raise InvalidRequest(f"A state is one of {', '.join(STATES)}.")
    values: dict[str, object] = {
        "provider_id": wanted.provider and find_provider(database, wanted.provider).id,
        "transaction": wanted.transaction_id,
        "session": wanted.session_id,
        "round": wanted.round_id and read_text(wanted.round_id, "gameRoundId"),
        "bet_id": wanted.bet_id and read_text(wanted.bet_id, "betId"),
        "state": wanted.state,
        "age": wanted.older_than,
        "accounts": _accounts(database, wanted),
    }
    if wanted.transaction_id is not None:
        name = "transaction"
    elif wanted.bet_id is not None and wanted.provider is not None:
        name = "bet_id"
    elif wanted.round_id is not None:
        name = "round"
    elif values["accounts"] is not None:
        name = "rejected" if wanted.state == BetState.REJECTED else "account"
    elif wanted.provider is not None and wanted.state == BetState.OPEN:
        name = "open"
    else:
        raise InvalidRequest(
            "Name what to search by: a transaction id, a provider and a betId, a session, a round,"
            " a player, or a provider and the state open."
        )
    return _WAYS[name], values


def _accounts(database: DbSession, wanted: BetFilter) -> Sequence[int] | None:
    """The accounts whose bets are wanted. None: any."""
    of_player = of_session = None
    if wanted.player is not None:
        accounts = show_player(database, wanted.player).accounts
        of_player = [account.account_id for account in accounts]
    if wanted.session_id is not None:
        of_session = [show_session(database, wanted.session_id).account_id]
    if of_player is None or of_session is None:
        return of_session if of_player is None else of_player
    return [account for account in of_session if account in of_player]


def _query(way: _Way) -> TextClause:
    """The statement of one page. The joins come after the limit, so that they cost little."""
    places = "".join(f", bet.{column} as place_{column}" for column in way.after)
    return text(f"""
        select bet.bet_id, provider.counterparty_id, bet.state, bet.opened_by, bet.stake, bet.win,
               bet.odd, bet.round_id, account.currency, bet.account_id, player.external_id,
               bet.session_id, bet.refused_with, bet.reason, bet.created_at, bet.updated_at,
               coalesce(session.game, bet.game), bet.id{places}
        from (
            select bet.* from {way.source} where {way.where} and {_FILTERS}
            order by {_qualified(way.order)} limit :rows
        ) bet
        join provider on provider.id = bet.provider_id
        join account on account.id = bet.account_id
        join player on player.id = account.player_id
        left join session on session.id = bet.session_id
        order by {_qualified(way.order)}
    """)  # noqa: S608 - the only things put in are constants


def _qualified(order: str) -> str:
    return ", ".join(f"bet.{column.strip()}" for column in order.split(","))
