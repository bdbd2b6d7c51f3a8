"""Long lists in pages: no transaction is open while somebody looks at a page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Row, TextClause

from models.database.transactions import transaction

PAGE_ROWS = 1000


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
