"""Where the keys of the journal are: in the environment, else in the data folder."""

import secrets
from pathlib import Path

from models.journal_keys import JournalKeys, NoJournalKey
from ops.private_files import read_private, write_private
from settings import Settings

FILE = "journal-key"
_KEY_BYTES = 32


def with_journal_key(configured: Settings, data_dir: Path) -> Settings:
    """The settings, with the key that `betcore up` made in the folder where none is set."""
    key = configured.journal_key or (read_private(data_dir / FILE) or "").strip()
    return configured.model_copy(update={"journal_key": key})


def require_journal_key(configured: Settings, data_dir: Path) -> Settings:
    """As `with_journal_key`. Raises NoJournalKey, or BadJournalKey when it cannot be read."""
    found = with_journal_key(configured, data_dir)
    if not found.journal_key:
        raise NoJournalKey(
            "The journal needs a key: set BETCORE_JOURNAL_KEY, the same for all workers "
            "(`openssl rand -hex 32` makes one)."
        )
    JournalKeys.read(found.journal_key, found.journal_keys_old)
    return found


def journal_keys(configured: Settings, data_dir: Path) -> JournalKeys | None:
    """The keys by which to verify; None when there are none. Raises BadJournalKey."""
    found = with_journal_key(configured, data_dir)
    if not found.journal_key:
        return None
    return JournalKeys.read(found.journal_key, found.journal_keys_old)


def make_journal_key(configured: Settings, data_dir: Path) -> bool:
    """Make a key in the folder where there is none yet; whether it did. Raises BadJournalKey."""
    found = with_journal_key(configured, data_dir)
    if found.journal_key:
        JournalKeys.read(found.journal_key, found.journal_keys_old)
        return False
    write_private(data_dir / FILE, secrets.token_hex(_KEY_BYTES) + "\n")
    return True
