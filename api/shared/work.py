"""What a request of any room does: read, change something in somebody's name, show pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api.shared.services import PortalServices
from models.audit.log import Author, operation
from models.database.failures import unavailable
from models.database.transactions import Transaction, transaction
from models.reports.paging import Item, Listing, Page, Position


@dataclass(frozen=True, slots=True)
class Work:
    """A request that may enter: whose it is, and from where."""

    services: PortalServices
    who: str  # such as `key:platform`
    address: str
    list_name: str  # names the list and its filter, for cursors

    @property
    def database_url(self) -> str:
        """The operator's login to PostgreSQL."""
        return self.services.database_url

    def author(self, note: str | None) -> Author:
        """Who answers for a change. Raises InvalidRequest for a note that cannot be recorded."""
        return self.services.author(self.who, self.address, note)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that changes nothing. Raises LedgerUnavailable."""
        with unavailable(), transaction(self.database_url) as database:
            yield database

    @contextmanager
    def changing(self, note: str | None) -> Iterator[Transaction]:
        """A transaction for a change, which the audit log records. Raises LedgerUnavailable."""
        with unavailable(), operation(self.database_url, self.author(note)) as database:
            yield database

    def position(self, cursor: str | None) -> Position | None:
        """Where a page begins. Raises InvalidRequest for a cursor that is not of this list."""
        return None if cursor is None else self.services.cursors.read(self.list_name, cursor)

    def cursor(self, position: Position | None) -> str | None:
        """The cursor of the next page, or None after the last one."""
        return None if position is None else self.services.cursors.write(self.list_name, position)

    def page(self, listing: Listing[Item], limit: int, cursor: str | None) -> Page[Item]:
        """One page of a list. Raises LedgerUnavailable and InvalidRequest."""
        with unavailable():
            return listing.page(limit, self.position(cursor))
