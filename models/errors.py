"""Every error of the models, as a tree; the docstring is the message.

BetcoreError
├── InvalidRequest        the caller's data cannot be read as this call (code 2)
├── UnknownCurrency       the currency does not exist here
├── NotFound              the named provider, session, player, account or bet does not exist
├── AlreadyExists         the name is taken
├── ProviderSuspended, ProviderLocked, PlayerBlocked   an operator allows no new bets
├── Ended                 it has ended, or was ended by somebody else
├── NotCallable           we cannot call the provider: it has no URL, or no secret to sign with
├── Superseded            something newer was recorded meanwhile
└── LedgerError
    ├── LedgerUnavailable PostgreSQL cannot be reached, or ended our transaction
    │   └── UnsupportedDatabase   it is not as we need it, until somebody changes it
    ├── LedgerContention  another transaction got in the way: run the batch again
    └── BetTaken          a unique constraint fired: somebody else recorded it first
"""


class BetcoreError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class InvalidRequest(BetcoreError):  # noqa: N818 - the name says what the caller did
    """The body cannot be read as this call."""


class UnknownCurrency(BetcoreError):  # noqa: N818
    """This currency is not known here."""


class NotFound(BetcoreError):  # noqa: N818
    """There is no such thing."""


class AlreadyExists(BetcoreError):  # noqa: N818
    """The name is taken."""


class ProviderSuspended(BetcoreError):  # noqa: N818
    """The provider is suspended."""


class ProviderLocked(BetcoreError):  # noqa: N818
    """The provider is locked."""


class PlayerBlocked(BetcoreError):  # noqa: N818
    """The player is blocked."""


class Ended(BetcoreError):  # noqa: N818
    """It has ended."""


class NotCallable(BetcoreError):  # noqa: N818
    """We cannot call this provider."""


class Superseded(BetcoreError):  # noqa: N818
    """Something newer was recorded meanwhile."""


class LedgerError(BetcoreError):
    """The ledger could not apply a batch."""

    sqlstate = ""  # PostgreSQL's SQLSTATE, if it reported the error


class LedgerUnavailable(LedgerError):  # noqa: N818
    """PostgreSQL cannot be reached, or ended our transaction."""


class UnsupportedDatabase(LedgerUnavailable):
    """PostgreSQL, or the database, is not as betcore needs it."""


class LedgerContention(LedgerError):  # noqa: N818
    """Another transaction got in the way."""


class BetTaken(LedgerError):  # noqa: N818
    """Somebody else recorded this bet, reference or sequence number first."""
