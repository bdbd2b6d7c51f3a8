"""Where `betcore up` keeps its data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.restore import RESTORED
from ops.up import demo
from ops.up.ports import Wished
from ops.up.up import Wishes, _configured
from settings import settings

NO_PORTS = Wished(None, None, None, None)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, and an environment that names no data folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BETCORE_DATA_DIR", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("sandbox", "named", "folder"),
    [
        (False, None, ".betcore"),
        (True, None, ".betcore-sandbox"),
        (True, Path("mine"), "mine"),
        (False, Path("mine"), "mine"),
    ],
)
def test_a_sandbox_has_a_data_folder_of_its_own_unless_one_is_named(
    sandbox: bool, named: Path | None, folder: str
) -> None:
    found = _configured(Wishes(NO_PORTS, 1, 1, True, sandbox, named))

    assert found.data_dir.name == folder
    assert found.sandbox is sandbox


@pytest.mark.parametrize(("wished", "restored"), [(True, False), (False, False), (True, True)])
def test_a_demo_is_played_if_wished_and_never_in_a_restored_ledger(
    wished: bool, restored: bool, tmp_path: Path
) -> None:
    if restored:
        (tmp_path / RESTORED).write_text("{}")

    assert demo.wanted(tmp_path, wished) is (wished and not restored)
