"""The container image: what goes in, and that each package is the one that the lock file names."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.source import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": PROJECT["build-system"]["requires"],
}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def locked(name: str) -> Iterator[tuple[str, Version, list[str]]]:
    """Each package of a lock file: its name, version and hashes."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        words = line.split()
        hashes = [word for word in words if word.startswith("--hash=sha256:")]
        found = Requirement(" ".join(word for word in words if not word.startswith("--")))
        (pin,) = found.specifier
        assert pin.operator == "=="
        yield canonicalize_name(found.name), Version(pin.version), hashes


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(name: str) -> None:
    packages = list(locked(name))

    assert packages
    assert [package for package, _, hashes in packages if not hashes] == []


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_has_what_pyproject_asks_for(name: str) -> None:
    """If this fails after a change of pyproject.toml: `make lock`."""
    versions = {package: version for package, version, _ in locked(name)}

    for line in LOCKS[name]:
        asked = Requirement(line)
        assert versions[canonicalize_name(asked.name)] in asked.specifier, line


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text()

    assert re.findall(r"://|--(?!hash=sha256:)[a-z-]+|^#.*", text, re.MULTILINE) == []


def test_the_image_installs_nothing_that_is_not_locked() -> None:
    text = DOCKERFILE.replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&\n]*)", text)

    assert len(installs) == 3
    for line in installs:
        assert "--no-deps" in line
        assert "--require-hashes" in line or line.split()[-1] == "/wheels/*.whl"
    assert "--no-build-isolation" in text


def test_the_base_is_pinned_and_the_last_stage_can_build_nothing_and_is_not_root() -> None:
    first, *stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    last = stages[-1]

    assert re.search(
        r"^ARG PYTHON=python:\d+\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?$", first, re.M
    )
    assert all(stage.startswith("${PYTHON}") for stage in stages)
    assert "pip uninstall" in last
    assert not re.search(r"pip (wheel|install)|apt-get", last)
    assert re.search(r"^USER 10001$", last, re.M)


@pytest.mark.parametrize("project", [".", "kit"])
def test_every_file_of_a_package_is_installed_with_it_and_says_something(project: str) -> None:
    """No other test misses a page that is not installed, or is empty."""
    root = (ROOT / project).resolve()
    tools = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    named = tools["package-data"]
    installed = {
        path
        for package, patterns in named.items()
        for pattern in patterns
        for path in root.joinpath(*package.split(".")).glob(pattern)
    }
    folders = [root / one.removesuffix("*") for one in tools["packages"]["find"]["include"]]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    others = [path for path in found if path.suffix not in (".py", ".pyc")]

    assert others
    assert [str(path) for path in others if path not in installed] == []
    assert [str(path) for path in others if path.name != "py.typed" and not path.read_text()] == []
