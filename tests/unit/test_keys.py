"""Keys: each has one purpose, comes from a variable or a private file, and is never shown."""

import base64
import os
import socket
import stat
from pathlib import Path

import pytest

from models.keys import BadKey, Key, KeyRing, NoKey, Purpose, find_ring, require_ring
from models.private_files import PrivateFileRefused, read_private, write_private
from ops.keys import key_file, make_keys, require_keys, with_keys
from settings import Settings

HEX, OTHER = "5a" * 32, "6b" * 32


def test_the_id_of_the_journal_key_is_the_one_that_old_rows_name() -> None:
    assert Key(Purpose.JOURNAL, bytes.fromhex(HEX)).id == "676e7982b50bee14"


def test_the_same_bytes_have_another_id_for_each_purpose() -> None:
    assert len({Key(purpose, bytes(32)).id for purpose in Purpose}) == len(Purpose)


def test_hex_and_base64_of_the_same_bytes_are_the_same_key() -> None:
    encoded = base64.b64encode(bytes.fromhex(HEX)).decode()

    for text in (HEX, HEX.upper(), f" {HEX}\n", encoded):
        assert KeyRing.read(Purpose.OPERATOR, text).current.secret == bytes.fromhex(HEX)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("bad", ["my-password", HEX[:62], "5a" * 31 + "5", f"{HEX},{OTHER}"])
def test_a_bad_key_is_named_by_its_variable_and_not_told(purpose: Purpose, bad: str) -> None:
    for variable, keys in (
        (purpose.variable, {purpose.setting: bad}),
        (purpose.old_variable, {purpose.setting: HEX, purpose.old_setting: f"{OTHER},my-{bad}"}),
    ):
        with pytest.raises(BadKey) as caught:
            find_ring(Settings().model_copy(update=keys), purpose)
        assert str(caught.value) == (
            f"{variable} must be at least 32 bytes in hex or base64: `openssl rand -hex 32` makes"
            " one."
        )


def test_replaced_keys_are_read_beside_the_current_one() -> None:
    settings = Settings(secrets_key=HEX, secrets_keys_old=f"{OTHER}, ,{'7c' * 32},")

    ring = require_ring(settings, Purpose.SECRETS)

    assert ring.current.secret == bytes.fromhex(HEX)
    assert [key.secret[:1].hex() for key in ring.by_id.values()] == ["5a", "6b", "7c"]
    assert HEX not in repr(ring)
    assert HEX not in repr(settings)


def test_a_missing_key_is_named_with_its_variable_holders_and_cure(tmp_path: Path) -> None:
    with pytest.raises(NoKey) as caught:
        require_keys(Settings(data_dir=tmp_path), Purpose.OPERATOR)

    assert str(caught.value) == (
        "The operator key is missing: set BETCORE_OPERATOR_KEY, the same for all workers and"
        " operators' commands (`openssl rand -hex 32` makes one)."
    )


def test_missing_keys_are_made_once_as_private_files(tmp_path: Path) -> None:
    configured = Settings(journal_key=HEX, data_dir=tmp_path)

    made = make_keys(configured)

    assert [file.name for file in made] == ["operator-key", "secrets-key"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in made)
    assert make_keys(configured) == []
    found = require_keys(configured, *Purpose)
    assert found.operator_key == made[0].read_text().strip()


def test_a_process_has_only_the_keys_that_it_names(tmp_path: Path) -> None:
    make_keys(Settings(data_dir=tmp_path))

    found = with_keys(
        Settings(operator_key=HEX, operator_keys_old=OTHER, data_dir=tmp_path), Purpose.SECRETS
    )

    assert found.secrets_key == key_file(tmp_path, Purpose.SECRETS).read_text().strip()
    assert (found.journal_key, found.operator_key, found.operator_keys_old) == ("", "", "")


def test_one_key_for_two_purposes_is_refused(tmp_path: Path) -> None:
    for keys in (
        {"operator_key": HEX, "secrets_key": HEX},
        {"operator_key": OTHER, "secrets_key": HEX, "secrets_keys_old": OTHER},
    ):
        with pytest.raises(BadKey, match="BETCORE_OPERATOR_KEY and BETCORE_SECRETS_KEY share"):
            with_keys(Settings(data_dir=tmp_path).model_copy(update=keys), *Purpose)


@pytest.mark.parametrize("content", ["", "\n", "my-password\n"])
def test_a_file_that_holds_no_key_is_named_and_not_replaced(tmp_path: Path, content: str) -> None:
    file = key_file(tmp_path, Purpose.SECRETS)
    write_private(file, content)

    with pytest.raises(BadKey, match=f"^{file} must be at least 32 bytes"):
        make_keys(Settings(data_dir=tmp_path))
    assert file.read_text() == content


def test_a_file_of_another_owner_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = key_file(tmp_path, Purpose.JOURNAL)
    write_private(file, HEX)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    else:
        someone = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: someone)

    with pytest.raises(PrivateFileRefused, match="journal-key is not used, as it belongs to"):
        require_keys(Settings(data_dir=tmp_path), Purpose.JOURNAL)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o660, 0o666])
def test_a_file_that_others_may_use_is_no_key(tmp_path: Path, mode: int) -> None:
    file = key_file(tmp_path, Purpose.OPERATOR)
    write_private(file, HEX)
    file.chmod(mode)

    with pytest.raises(PrivateFileRefused, match=f"has mode {mode:04o}.*chmod 600 {file}"):
        require_keys(Settings(data_dir=tmp_path), Purpose.OPERATOR)


def test_what_is_not_a_regular_file_is_no_secret(tmp_path: Path) -> None:
    write_private(tmp_path / "real", HEX)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "fifo", 0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

    for name in ("link", "dangling", "folder", "fifo", "socket"):
        with pytest.raises(PrivateFileRefused, match=f"{name} is not used.*not a regular file"):
            read_private(tmp_path / name)


def test_a_file_too_large_or_not_text_is_no_secret(tmp_path: Path) -> None:
    write_private(tmp_path / "large", "a" * 65_537)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "bytes").chmod(0o600)

    with pytest.raises(PrivateFileRefused, match="larger than 64 KiB"):
        read_private(tmp_path / "large")
    with pytest.raises(PrivateFileRefused, match="is not a text"):
        read_private(tmp_path / "bytes")


def test_no_file_is_no_secret_and_no_fault(tmp_path: Path) -> None:
    assert read_private(tmp_path / "nothing") is None
