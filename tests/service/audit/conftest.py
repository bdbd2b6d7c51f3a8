"""Ledgers with a journal, made once and copied for each test that damages one."""

from collections.abc import Iterator

import pytest

from tests.service.audit.vouched_books import vouched_books
from tests.service.support.books import Books, copied
from tests.service.support.journaled_books import journaled_books


@pytest.fixture(scope="session")
def vouched_template() -> Iterator[Books]:
    """A ledger that operators and a worker made, to be copied and never changed."""
    with vouched_books() as books:
        yield books


@pytest.fixture
def vouched(vouched_template: Books) -> Iterator[Books]:
    """A ledger that operators and a worker made, of the test's own: it may damage it."""
    with copied(vouched_template) as copy:
        yield copy


@pytest.fixture(scope="session")
def journaled_template() -> Iterator[Books]:
    """A ledger with a journal, to be copied and never changed."""
    with journaled_books() as books:
        yield books


@pytest.fixture
def journaled(journaled_template: Books) -> Iterator[Books]:
    """A ledger with a journal, of the test's own: it may damage it."""
    with copied(journaled_template) as copy:
        yield copy
