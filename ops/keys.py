"""Finds the keys: in the environment, otherwise in the data folder where `betcore up` made them."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embedded.restore import RESTORED
from models.keys import Key, NoKey, Purpose, require_distinct, require_ring
from models.private_files import read_private, write_private
from ops.terminal.options import configuration, find_settings
from settings import Settings

if TYPE_CHECKING:
    from models.secret_cipher import SecretCipher

_KEY_BYTES = 32


def key_file(data_dir: Path, purpose: Purpose) -> Path:
    """Return the path of a key in the data folder."""
    return data_dir / f"{purpose}-key"


def with_keys(configured: Settings, *purposes: Purpose) -> Settings:
    """Return the settings. A key that is not set comes from the data folder.

    Keys for other purposes are left out, so that no callee can use them. Raises BadKey. Raises
    PrivateFileRefused for a file that others may have written or read.
    """
    update: dict[str, str] = {}
    for purpose in Purpose:
        if purpose in purposes:
            key = getattr(configured, purpose.setting).strip()
            update[purpose.setting] = key or _in_folder(configured.data_dir, purpose)
        else:
            update |= {purpose.setting: "", purpose.old_setting: ""}
    found = configured.model_copy(update=update)
    require_distinct(found)
    return found


def require_keys(configured: Settings, *purposes: Purpose) -> Settings:
    """Like `with_keys`, but raises NoKey for the first key that is missing."""
    found = with_keys(configured, *purposes)
    for purpose in purposes:
        require_ring(found, purpose)
    return found


def operator_settings(data_dir: Path | None) -> Settings:
    """Return the settings, with the operator key, of a command that gives an order.

    Raises NoServers, and whatever `require_keys` raises.
    """
    return require_keys(find_settings(data_dir), Purpose.OPERATOR)


def secret_cipher(data_dir: Path | None) -> "SecretCipher":
    """Return the cipher of the providers' secrets, for a command. Raises as `require_keys` does."""
    from models.secret_cipher import SecretCipher

    found = require_keys(configuration(data_dir), Purpose.SECRETS)
    return SecretCipher(require_ring(found, Purpose.SECRETS))


def make_keys(configured: Settings) -> Sequence[Path]:
    """Make every missing key in the data folder. Returns the files that were made.

    Raises what `require_keys` raises. A restored folder needs the keys of its installation: a new
    one could neither decrypt nor verify anything. So that raises NoKey.
    """
    found = with_keys(configured, *Purpose)
    missing = [purpose for purpose in Purpose if not getattr(found, purpose.setting)]
    if missing and (configured.data_dir / RESTORED).exists():
        names = ", ".join(f"{purpose}-key" for purpose in missing)
        raise NoKey(
            f"{configured.data_dir} was restored from a backup, which has no keys: copy {names} of"
            " the installation into it, or set their variables."
        )
    files = [key_file(configured.data_dir, purpose) for purpose in missing]
    for file in files:
        write_private(file, secrets.token_hex(_KEY_BYTES) + "\n")
    require_keys(configured, *Purpose)
    return files


def _in_folder(data_dir: Path, purpose: Purpose) -> str:
    """Return the folder's key, or "" if it has none. A file without a valid key is not replaced."""
    file = key_file(data_dir, purpose)
    content = read_private(file)
    if content is not None:
        Key.read(purpose, content, str(file))  # an error names the file, not the variable
    return (content or "").strip()
