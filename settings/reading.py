"""Reads the settings from the environment of this process.

An empty variable means the default. A variable with `_FILE` after it names a file with the value,
such as a Docker secret.
"""

import difflib
import logging
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import ValidationError

from settings.fields import PREFIX, Settings, is_of_a_service, variable

_LOG = logging.getLogger("betcore.settings")
FILE = "_FILE"  # after the name of a variable: a file has its value


class BadSettings(Exception):  # noqa: N818  # the name reads as the fact it states
    """The settings cannot be read. The text has one line for each faulty variable."""


@cache
def settings() -> Settings:
    """The settings, read once. Logs variables that are no setting. Raises BadSettings."""
    for line in misspelt(os.environ):
        _LOG.warning("%s", line)
    given, faults = _from_files(os.environ)
    try:
        found = Settings(**given)
    except ValidationError as error:
        faults += [_said(variable(str(one["loc"][-1])), one) for one in error.errors()]
    if faults:
        raise BadSettings("\n".join(faults))
    return found


def texts() -> Settings:
    """Only the settings that are texts, unchecked: for what comes before or after BadSettings."""
    given, _ = _from_files(os.environ)
    found = {
        field: os.environ.get(variable(field), "")
        for field, about in Settings.model_fields.items()
        if about.annotation is str or get_origin(about.annotation) is Literal
    }
    return Settings.model_construct(
        **({name: text for name, text in found.items() if text} | given)
    )


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """One line per variable that looks like a setting and is none, with the nearest setting."""
    return [_unknown(name) for name in sorted(environment) if _is_unknown(name, environment[name])]


def known(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables of `misspelt`, for processes that this one starts."""
    return {name: value for name, value in environment.items() if not _is_unknown(name, value)}


def variables() -> set[str]:
    """The name of every environment variable that is read, without those that name a file."""
    return {variable(field) for field in Settings.model_fields}


def with_files(names: Iterable[str]) -> frozenset[str]:
    """These variables, and those that name a file with the value of one of them."""
    return frozenset(one for name in names for one in (name, name + FILE))


def _from_files(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values in the files that variables name, by field, and what is wrong with the files."""
    values: dict[str, Any] = {}
    faults = []
    by_name = {name.upper(): value for name, value in environment.items() if value}
    for field in Settings.model_fields:
        name = variable(field)
        if not (file := by_name.get(name + FILE)):
            continue
        if name in by_name:
            faults.append(f"{name}: {name + FILE} is set too; remove one of them")
            continue
        try:
            if text := Path(file).read_text().strip():
                values[field] = text
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a text"
            faults.append(f"{name + FILE}: cannot read {file}: {why}")
    return values, faults


def _is_unknown(name: str, value: str) -> bool:
    ours = name.upper().startswith(PREFIX) and name.upper() not in with_files(variables())
    return ours and not is_of_a_service(name, value)


def _unknown(name: str) -> str:
    short = {variable(one).removeprefix(PREFIX): variable(one) for one in Settings.model_fields}
    typed = name.upper().removeprefix(PREFIX)
    nearest = [known for known in short if known.endswith(f"_{typed}")]  # the first is used most
    nearest = nearest or difflib.get_close_matches(typed, short, 1, cutoff=0.5)
    return f"{name} is not a setting{f'; did you mean {short[nearest[0]]}?' if nearest else '.'}"


def _said(name: str, error: Any) -> str:
    """What is wrong with a variable. The text shows the value, unless that is a secret."""
    field = next(one for one in Settings.model_fields if variable(one) == name)
    expected = error["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    shown = f", not {error['input']!r}" if Settings.model_fields[field].repr else ""
    return f"{name}: {expected}{shown}"
