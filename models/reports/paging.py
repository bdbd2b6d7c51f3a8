"""Long lists in pages: no transaction is open while somebody looks at a page."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, TextClause

from models.database.transactions import transaction

PAGE_ROWS = 1000

Item = TypeVar("Item")

#: Where a page begins: some parameters of the query. Each is text, a number or a time.
Position = Mapping[str, object]


def pages(
    database_url: str,
    query: TextClause,
    values: Mapping[str, object],
    after: Callable[[Row[Any]], Mapping[str, object]],
) -> Iterator[Row[Any]]:
    """All rows of a query, in its order, read in pages as the caller takes them.

    The query has a limit of `:rows`. `values` are its parameters for the first page. `after` turns
    the last row of a page into the parameters for the next page, which begins behind that row.
    """
    wanted = dict(values)
    while True:
        with transaction(database_url) as database:
            rows = database.execute(query, wanted | {"rows": PAGE_ROWS}).all()
        yield from rows
        if len(rows) < PAGE_ROWS:
            return
        wanted |= after(rows[-1])


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and where the next page begins: None after the last one."""

    items: list[Item]
    next: Position | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """A long list: iterate over all of it, or take one page. `pages` explains the first four."""

    database_url: str
    query: TextClause
    values: Mapping[str, object]
    after: Callable[[Row[Any]], Position]
    item: Callable[[Row[Any]], Item]

    def __iter__(self) -> Iterator[Item]:
        rows = pages(self.database_url, self.query, self.values, self.after)
        return (self.item(row) for row in rows)

    def page(self, rows: int, begin: Position | None = None) -> Page[Item]:
        """At most `rows` items, from the beginning or from a `next` of this very list."""
        values = dict(self.values) | dict(begin or {})
        with transaction(self.database_url) as database:
            found = database.execute(self.query, values | {"rows": rows + 1}).all()
        shown = found[:rows]
        more = self.after(shown[-1]) if len(found) > rows else None
        return Page([self.item(row) for row in shown], more)
