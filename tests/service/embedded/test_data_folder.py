"""A data folder that others can change is refused, in one line that names the cure."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import EmbeddedError, running
from embedded.locks import held
from embedded.places import private_folder
from tests.service.support.up_world import betcore

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOBODY = 65534


@pytest.fixture
def above() -> Iterator[Path]:
    """A folder of ours alone, below one that is everybody's but has the sticky bit."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def refusal(folder: Path) -> str:
    """Why a data folder is refused, in one line."""
    with pytest.raises(EmbeddedError) as refused:
        private_folder(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_folder_of_ours_alone_is_taken_and_a_new_one_is_made_so(above: Path) -> None:
    made = private_folder(above / "a/b/data")

    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o755)
    assert private_folder(made) == made
    (above / "link").symlink_to("a/b/data")
    assert private_folder(above / "link") == made


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o722, 0o770, 0o720, 0o702])
def test_a_folder_in_which_others_can_write_is_refused(above: Path, mode: int) -> None:
    (above / "data").mkdir()
    (above / "data").chmod(mode)

    assert f"chmod go-w {above}/data" in refusal(above / "data")
    assert (above / "data").stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("depth", ["data", "a/b/data"])
def test_a_folder_that_others_can_replace_is_refused(above: Path, depth: str) -> None:
    private_folder(above / depth)
    above.chmod(0o777)
    assert f"chmod go-w {above}" in refusal(above / depth)

    above.chmod(0o1777)
    assert private_folder(above / depth) == above / depth


def test_a_link_into_what_others_can_write_is_refused(above: Path) -> None:
    private_folder(above / "open/data")
    (above / "first").symlink_to(above / "second")
    (above / "second").symlink_to("open")
    assert private_folder(above / "first/data") == above / "open/data"

    (above / "open").chmod(0o777)

    assert f"chmod go-w {above}/open" in refusal(above / "first/data")
    (above / "open").chmod(0o700)
    (above / "round").symlink_to("round")
    assert "data folder" in refusal(above / "round")


def test_a_link_that_others_can_replace_is_refused(above: Path) -> None:
    real = private_folder(above / "real")
    (above / "open").mkdir()
    (above / "open").chmod(0o777)
    (above / "open/link").symlink_to(real)

    assert f"chmod go-w {above}/open" in refusal(above / "open/link")


@as_root
def test_a_folder_or_link_of_another_user_is_refused(above: Path) -> None:
    theirs = private_folder(above / "theirs")
    os.chown(theirs, NOBODY, NOBODY)
    assert "run it as that user" in refusal(theirs)

    private_folder(above / "ours")
    (above / "link").symlink_to("ours")
    os.chown(above / "link", NOBODY, NOBODY, follow_symlinks=False)
    assert "link of user" in refusal(above / "link")


def test_a_command_takes_no_servers_from_a_folder_that_others_can_write_in(above: Path) -> None:
    data = private_folder(above / "data")
    (data / "urls.json").write_text('{"database": "postgresql://elsewhere/", "redis": ""}')
    data.chmod(0o777)

    with held(data), pytest.raises(EmbeddedError, match=f"chmod go-w {data}"):
        running(data)


def test_betcore_up_refuses_such_a_folder_in_one_line_and_starts_nothing(above: Path) -> None:
    data = private_folder(above / "data")
    data.chmod(0o777)

    refused = betcore("up", "--port", "0", "--data-dir", str(data), cwd=above)

    assert refused.returncode == 1
    assert refused.stderr == f"betcore: others can write in the data folder: chmod go-w {data}\n"
    assert list(data.iterdir()) == []
