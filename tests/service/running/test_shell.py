"""Neither the shell's variables for Python nor the current folder changes `betcore`."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from betcore_launcher import OURS
from tests.service.running.test_up import answers, folder
from tests.service.support.up_world import Up, betcore
from tests.source import ROOT
from tests.unit.test_settings import of_kubernetes

own_folder = pytest.fixture(folder, name="own_folder")
STRANGE = {
    "PYTHONOPTIMIZE": "2",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "error",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSTARTUP": "/nowhere",
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "LC_ALL": "C",
}


@pytest.fixture
def hostile(own_folder: Path) -> dict[str, str]:
    """The environment of a shell in a folder whose modules have our names, and must not run."""
    for name in OURS - {"api", "models"}:
        (own_folder / f"{name}.py").write_text(f"raise RuntimeError('another {name}')\n")
    for name in ("api", "models"):
        (own_folder / name).mkdir()
        (own_folder / name / "__init__.py").write_text(f"raise RuntimeError('another {name}')\n")
    return STRANGE | {"PYTHONPATH": os.pathsep.join((str(own_folder), "."))}


def test_everything_runs_among_modules_of_our_names_in_a_shell_with_strange_settings(
    own_folder: Path, hostile: dict[str, str]
) -> None:
    services = of_kubernetes("BETCORE_GATEWAY") | of_kubernetes("BETCORE_WORKER")
    wrong = {"BETCORE_BACTH_JOBS_MAX": "1", "BETCORE_QUEUE_NAME": ""}
    with Up(own_folder, **hostile | services | wrong) as up:
        up.says("serving;")
        answers(up)

        assert up.ends(signal.SIGTERM) == 0
        assert up.err.count("is not a setting") == 1
        assert "another " not in up.err
        assert "Traceback" not in up.err


def test_a_command_keeps_its_help_and_its_checks_when_python_is_told_to_drop_them(
    own_folder: Path, hostile: dict[str, str]
) -> None:
    shown = betcore("--help", cwd=own_folder, **hostile)

    assert shown.returncode == 0
    assert "A queue-backed transaction processor" in shown.stdout


def test_wrong_settings_are_a_line_each_and_an_exit_code(tmp_path: Path) -> None:
    wrong = {
        "BETCORE_GATEWAY_PORT": "x",
        "BETCORE_BATCH_JOBS_MAX": "0",
        "BETCORE_LEASE_SECONDS": "-",
    }
    for command in (["gateway"], ["worker"], ["up"], ["bet", "list", "--provider", "x"]):
        refused = betcore(*command, cwd=tmp_path, **wrong)

        assert refused.returncode == 1
        lines = [
            line for line in refused.stderr.splitlines() if line.startswith("betcore: BETCORE_")
        ]
        assert len(lines) == len(wrong)
        assert "Traceback" not in refused.stderr


def test_a_file_of_ours_that_another_distribution_has_replaced_is_named(tmp_path: Path) -> None:
    shutil.copy(ROOT / "betcore_launcher.py", tmp_path)
    for name in OURS - {"settings"}:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "settings.py").write_text(f"# {uuid.uuid4()}\n")
    command = [sys.executable, "-P", str(tmp_path / "betcore_launcher.py"), "migrate"]

    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.lower().startswith("betcore: cannot import name 'settings' from 'settings'")
    assert line.endswith("Install betcore into a virtual environment of its own.")
