"""Ledgers with a journal, made once and copied for each test that damages one."""

from collections.abc import Iterator

import pytest

from tests.service.audit.audited_ledger import audited_ledger
from tests.service.support.journaled_ledger import journaled_ledger
from tests.service.support.ledger_copy import LedgerCopy, copied, whole_ledger


@pytest.fixture(scope="session")
def audited_template() -> Iterator[LedgerCopy]:
    """A ledger that operators and a worker made, to be copied and never changed."""
    with audited_ledger() as ledger_copy:
        yield ledger_copy


@pytest.fixture
def audited(audited_template: LedgerCopy) -> Iterator[LedgerCopy]:
    """A copy of a ledger made by operators and a worker. The test may damage it."""
    with copied(audited_template) as copy:
        yield copy


@pytest.fixture(scope="session")
def journaled_template() -> Iterator[LedgerCopy]:
    """A ledger with a journal, to be copied and never changed."""
    with journaled_ledger() as ledger_copy:
        yield ledger_copy


@pytest.fixture
def journaled(journaled_template: LedgerCopy) -> Iterator[LedgerCopy]:
    """A copy of a ledger with a journal. The test may damage it."""
    with copied(journaled_template) as copy:
        yield copy


@pytest.fixture(scope="session")
def whole() -> Iterator[LedgerCopy]:
    """A ledger with every kind of row and without a journal, to be copied and never changed."""
    with whole_ledger() as ledger_copy:
        yield ledger_copy


@pytest.fixture
def ledger_copy(whole: LedgerCopy) -> Iterator[LedgerCopy]:
    """A copy of the ledger `whole`. The test may damage it."""
    with copied(whole) as copy:
        yield copy
