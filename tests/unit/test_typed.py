"""Commands that we tell people to type: they reach this program, and this installation."""

import shlex
from pathlib import Path

import pytest

from ops.terminal.typed import to_type


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the program in `.venv/bin`, which no PATH names."""
    made = tmp_path / ".venv" / "bin" / "betcore"
    made.parent.mkdir(parents=True)
    made.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [".venv/bin/betcore", "up"])
    monkeypatch.setenv("PATH", "/nowhere")
    return made


def test_a_program_that_is_not_on_the_path_is_named_by_its_place() -> None:
    assert to_type("provider list", Path(".betcore")) == ".venv/bin/betcore provider list"


def test_a_program_on_the_path_is_named_by_its_name(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent))

    assert to_type("provider list", Path(".betcore")) == "betcore provider list"


def test_another_program_on_the_path_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "betcore").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert to_type("provider list", Path(".betcore")).startswith(".venv/bin/betcore ")


def test_another_data_folder_is_named_whole_even_if_a_variable_names_it_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BETCORE_DATA_DIR", "my data")

    *_, option, folder = shlex.split(to_type("provider list", Path("x/../my data")))

    assert (option, folder) == ("--data-dir", str(tmp_path / "my data"))
