"""The tables, as SQLModel classes with named constraints: the truth that the rules also keep.

Classes with `table=True` do not validate, so untrusted data never meets one first. The hot path
does not use them (models/ledger/load.py, write.py); operators' commands and migrations do.
"""

from models.tables.audit import AuditLog, AuditStart
from models.tables.bets import Bet, RefusedOrder, Session, Transfer
from models.tables.journal import Journal, JournalStart
from models.tables.parties import Account, Currency, Player, Provider, ProviderSecret

__all__ = [
    "Account",
    "AuditLog",
    "AuditStart",
    "Bet",
    "Currency",
    "Journal",
    "JournalStart",
    "Player",
    "Provider",
    "ProviderSecret",
    "RefusedOrder",
    "Session",
    "Transfer",
]
