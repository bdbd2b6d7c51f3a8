"""How `make` installs: into .venv, whatever the shell sets, and again after an interruption."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A Python that makes a virtual environment at once, and notes what it installs there.
PYTHON = """#!/bin/sh
case "$*" in
    *ensurepip*) exit "${NO_ENSUREPIP:-0}" ;;
    *version_info*) exit 0 ;;
    *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *install.py*) echo "installs $2"; env > seen; exit "${INSTALL_FAILS:-0}" ;;
esac
"""
ELSEWHERE = {
    **{f"PIP_{name}": "1" for name in ("USER", "NO_DEPS", "DRY_RUN")},
    **{f"PIP_{name}": "/nowhere" for name in ("TARGET", "PREFIX", "ROOT", "PYTHON")},
    **{f"PYTHON{name}": "/nowhere" for name in ("HOME", "PATH", "USERBASE")},
    "VIRTUAL_ENV": "/nowhere",
}

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with our Makefile, and a Python of the test's own."""
    for name in ("Makefile", "pyproject.toml", "kit/pyproject.toml", ".ci/install.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(checkout: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make with that Python, without the variables of the make that runs these tests."""
    of_make = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    outside = {name: value for name, value in os.environ.items() if name not in of_make}
    return subprocess.run(
        ["make", "--no-print-directory", target, "PYTHON=./python"],
        cwd=checkout,
        env=outside | environment,
        capture_output=True,
        text=True,
    )


def test_running_needs_no_package_of_the_tests(checkout: Path) -> None:
    for_run = make(checkout, ".venv/.run-installed")
    again = make(checkout, ".venv/.run-installed")
    for_test = make(checkout, ".venv/.dev-installed")
    for_run_then = make(checkout, ".venv/.run-installed")

    assert for_run.stdout.splitlines()[-1] == "installs embedded"
    assert for_test.stdout.splitlines()[-1] == "installs embedded,dev"
    for nothing in (again, for_run_then):
        assert nothing.stdout == "make: '.venv/.run-installed' is up to date.\n"


@pytest.mark.parametrize(
    ("target", "needs"),
    [("run", ".run-installed"), *((t, ".dev-installed") for t in ("test", "check", "bench"))],
)
def test_each_target_asks_for_what_it_needs(target: str, needs: str) -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()

    (rule,) = (line for line in lines if line.startswith(f"{target}:"))

    assert rule.split("##")[0].split() == [f"{target}:", f".venv/{needs}"]


def test_no_variable_of_the_shell_sends_the_installation_elsewhere(checkout: Path) -> None:
    installed = make(checkout, ".venv/.run-installed", **ELSEWHERE)

    assert installed.returncode == 0, installed.stderr
    seen = (checkout / "seen").read_text()
    assert [line for line in seen.splitlines() if line.partition("=")[0] in ELSEWHERE] == []


def test_an_installation_that_did_not_end_is_begun_anew(checkout: Path) -> None:
    failed = make(checkout, ".venv/.dev-installed", INSTALL_FAILS="1")
    (checkout / ".venv/left-over").touch()
    again = make(checkout, ".venv/.run-installed")

    assert failed.returncode != 0
    assert "the last installation did not finish: starting again" in again.stdout
    assert again.returncode == 0
    assert not (checkout / ".venv/left-over").exists()


def test_a_python_without_venv_is_said_in_one_line(checkout: Path) -> None:
    refused = make(checkout, ".venv/.run-installed", NO_ENSUREPIP="1")

    said, *_ = refused.stderr.splitlines()
    assert said == (
        "./python cannot make virtual environments: install python3-venv (apt install python3-venv)"
    )
    assert not (checkout / ".venv").exists()
