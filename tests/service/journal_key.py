"""The key of the journal in all tests: what writes to a test's ledger has this one."""

from models.journal_keys import JournalKey, JournalKeys

HEX = "5a" * 32
KEYS = JournalKeys.read(HEX)
KEY: JournalKey = KEYS.current
