"""Promises about who is within a transaction."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from models.database import transactions
from models.database.transactions import in_transaction, transaction


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of no database: only who is within a transaction is asked here."""

    class Nothing:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        @contextmanager
        def begin(self) -> Iterator[None]:
            yield

        def __enter__(self) -> "Nothing":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(transactions, "DbSession", Nothing)
    monkeypatch.setattr(transactions, "engine", lambda url: url)


def test_transactions_that_end_in_another_order_leave_nobody_within_one() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(transaction(""))
    second.enter_context(transaction(""))

    first.close()
    assert in_transaction()
    second.close()

    assert not in_transaction()
