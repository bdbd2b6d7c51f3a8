"""Where the keys are: in the environment, else in the data folder, where `betcore up` made them."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.keys import Key, Purpose, require_distinct, require_ring
from models.private_files import read_private, write_private
from ops.options import find_settings
from settings import Settings, settings

if TYPE_CHECKING:
    from models.secret_cipher import SecretCipher

_KEY_BYTES = 32


def key_file(data_dir: Path, purpose: Purpose) -> Path:
    """The file of a key in the data folder."""
    return data_dir / f"{purpose}-key"


def with_keys(configured: Settings, data_dir: Path, *purposes: Purpose) -> Settings:
    """The settings, with the key of the data folder where none is set.

    Keys that the caller does not name are left out, so that nothing below can use them. Raises
    BadKey, and PrivateFileRefused for a file that others may have written or read.
    """
    update: dict[str, str] = {}
    for purpose in Purpose:
        if purpose in purposes:
            key = getattr(configured, purpose.setting).strip()
            update[purpose.setting] = key or _in_folder(data_dir, purpose)
        else:
            update |= {purpose.setting: "", purpose.old_setting: ""}
    found = configured.model_copy(update=update)
    require_distinct(found)
    return found


def require_keys(configured: Settings, data_dir: Path, *purposes: Purpose) -> Settings:
    """As `with_keys`. Raises NoKey as well, for the first of them that is nowhere."""
    found = with_keys(configured, data_dir, *purposes)
    for purpose in purposes:
        require_ring(found, purpose)
    return found


def operator_settings(data_dir: Path) -> Settings:
    """The settings of a command that orders something, with the operator key.

    Raises NoServers, and what `require_keys` raises.
    """
    return require_keys(find_settings(data_dir), data_dir, Purpose.OPERATOR)


def secret_cipher(data_dir: Path) -> "SecretCipher":
    """What encrypts the providers' secrets, for a command. Raises what `require_keys` raises."""
    from models.secret_cipher import SecretCipher

    found = require_keys(settings(), data_dir, Purpose.SECRETS)
    return SecretCipher(require_ring(found, Purpose.SECRETS))


def make_keys(configured: Settings, data_dir: Path) -> Sequence[Path]:
    """Make every key that is missing, in the data folder; the files that were made.

    Raises what `require_keys` raises.
    """
    found = with_keys(configured, data_dir, *Purpose)
    missing = [purpose for purpose in Purpose if not getattr(found, purpose.setting)]
    files = [key_file(data_dir, purpose) for purpose in missing]
    for file in files:
        write_private(file, secrets.token_hex(_KEY_BYTES) + "\n")
    require_keys(configured, data_dir, *Purpose)
    return files


def _in_folder(data_dir: Path, purpose: Purpose) -> str:
    """The key of the folder, '' where there is none; a file that holds no key is not replaced."""
    file = key_file(data_dir, purpose)
    content = read_private(file)
    if content is not None:
        Key.read(purpose, content, str(file))  # an error names the file, not the variable
    return (content or "").strip()
