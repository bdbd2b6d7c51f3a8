"""Promises of the log's form: one JSON object per line, whatever the text, with its fields."""

import json
import logging
import sys

import pytest

from logs.fields import fields
from logs.setup import log_as

_LOG = logging.getLogger("betcore.test")


@pytest.fixture(autouse=True)
def kept() -> object:
    """Leave the logging of the test run as it was."""
    root, ours = logging.getLogger(), logging.getLogger("betcore")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr."""
    return capsys.readouterr().err.splitlines()


def test_json_is_one_object_per_line_with_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("worker-1", "json")
    _LOG.warning("two\nlines %s", "\x1b[2J\u202e", extra=fields(bet=b"b-1", code=5, none=None))

    [line] = said(capsys)
    assert line.isascii()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning",
        "process": "worker-1",
        "logger": "betcore.test",
        "message": "two | lines \x1b[2J\u202e",
        "bet": "b-1",
        "code": 5,
    }


def test_a_traceback_stays_in_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("worker-1", "json")
    try:
        raise KeyError("why")
    except KeyError:
        _LOG.exception("failed")

    [line] = said(capsys)
    assert "KeyError: 'why'" in json.loads(line)["traceback"]


@pytest.mark.parametrize(("terminal", "is_json"), [(True, False), (False, True)])
def test_auto_is_text_on_a_terminal_and_json_elsewhere(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    is_json: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    log_as("up", "auto")
    _LOG.info("hello")

    [line] = said(capsys)
    assert line.startswith("{") == is_json


def test_level_debug_is_for_our_own_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("up", "text", "debug")
    _LOG.debug("ours")
    logging.getLogger("redis").debug("a password, perhaps")

    [line] = said(capsys)
    assert line.endswith("DEBUG ours")
