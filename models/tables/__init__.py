"""The tables, as SQLModel classes with named constraints, which enforce the rules once more.

Classes with `table=True` do not validate, so untrusted data never reaches them first. Operators'
commands and migrations use them. The hot path does not (models/ledger/load.py, write.py).
"""

from models.tables.access import IdempotentRequest, OperatorKey
from models.tables.audit import AuditLog, AuditStart
from models.tables.bets import Bet, FinishedRound, RefusedOrder, Session, Transfer
from models.tables.chores import LastDone
from models.tables.console import ConsoleSession, ConsoleUser
from models.tables.journal import Journal, JournalStart
from models.tables.parties import Account, Currency, Player, Provider, ProviderSecret, WinDay
from models.tables.sandbox import SandboxMark, SandboxToken

__all__ = [
    "Account",
    "AuditLog",
    "AuditStart",
    "Bet",
    "ConsoleSession",
    "ConsoleUser",
    "Currency",
    "FinishedRound",
    "IdempotentRequest",
    "Journal",
    "JournalStart",
    "LastDone",
    "OperatorKey",
    "Player",
    "Provider",
    "ProviderSecret",
    "RefusedOrder",
    "SandboxMark",
    "SandboxToken",
    "Session",
    "Transfer",
    "WinDay",
]
