"""What `betcore settings` shows of each setting, and the page docs/SETTINGS.md made of the same."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from embedded import running
from models.keys import Purpose
from ops.commands.processes import dashboard_password
from ops.keys import with_keys
from ops.logins import login_url
from settings import FILE, Settings, is_of_a_service, variable

MASK = "********"

#: The units of settings, by the end of a setting's name.
_UNITS = {
    "_seconds": "seconds",
    "_minutes": "minutes",
    "_bytes_max": "bytes",
    "_port": "port",
    "_url": "URL",
    "_key": "hex or base64",
    "_keys_old": "hex or base64",
    "_dir": "folder",
}
_PASSWORD = re.compile(r"(?<=://)([^:@/?#]*):.*@", re.DOTALL)
_REFERENCE = """# Settings

<!-- Made by `betcore settings --reference` from `settings/fields.py`. Do not edit this page. -->

Set an environment variable to change a setting. An empty variable means the default.
Each variable has a twin with `_FILE` at its end. The twin names a file that holds the value, such
as a secret of Docker or Kubernetes. Set only one of the two.

`betcore settings` shows the values on this machine and where they come from. It masks secrets.
[OPERATIONS.md](OPERATIONS.md#configure) says what happens with a wrong value.

| variable | default | unit | meaning |
|---|---|---|---|
"""


class ShownSetting(NamedTuple):
    """One setting, ready to be printed: nothing in it is secret."""

    variable: str
    value: object
    source: str  # `default`, `environment`, `file PATH`, `data folder` or `--data-dir`
    unit: str
    meaning: str
    is_secret: bool


def shown_settings(configured: Settings, *, folder_given: bool) -> Iterator[ShownSetting]:
    """Every setting with the value that commands on this machine use.

    `folder_given` says whether an option named the data folder. Raises EmbeddedError or OSError if
    the data folder cannot be used, and what `with_keys` raises.
    """
    found = _of_data_folder(configured)
    for field, about in Settings.model_fields.items():
        value = getattr(configured, field)
        source = _source(field)
        if field == "data_dir" and folder_given:
            source = "--data-dir"
        elif not value and found.get(field):
            value, source = found[field], f"data folder {configured.data_dir}"
        yield ShownSetting(
            variable(field),
            _masked(field, value),
            source,
            unit(field),
            str(about.description),
            not about.repr,
        )


def reference() -> str:
    """The page docs/SETTINGS.md: every setting with its default, unit and meaning."""
    rows = []
    for field, about in Settings.model_fields.items():
        default = f"`{about.default}`" if str(about.default) else "empty"
        rows.append(f"| `{variable(field)}` | {default} | {unit(field)} | {about.description} |\n")
    return _REFERENCE + "".join(rows)


def unit(field: str) -> str:
    """The unit of a setting, as its name says it, or else the kind of its value."""
    of_name = next((unit for end, unit in _UNITS.items() if field.endswith(end)), "")
    kinds: dict[object, str] = {bool: "true or false", int: "number", float: "number"}
    return of_name or kinds.get(Settings.model_fields[field].annotation, "text")


def without_password(url: str) -> str:
    """A server's URL with its passwords masked. A text that is no URL is masked whole."""
    if url and "://" not in url:
        return MASK
    place, mark, options = _PASSWORD.sub(rf"\1:{MASK}@", url).partition("?")
    return place + mark + "&".join(map(_option, options.split("&")))


def _option(text: str) -> str:
    name, equals, _ = text.partition("=")
    return f"{name}{equals}{MASK}" if equals and "pass" in unquote(name).lower() else text


def _masked(field: str, value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if not Settings.model_fields[field].repr:
        return MASK if value else ""
    return without_password(str(value)) if field.endswith("_url") else value


def _source(field: str) -> str:
    by_name = {name.upper(): value for name, value in os.environ.items()}
    if file := by_name.get(variable(field) + FILE):
        return f"file {file}"
    value = by_name.get(variable(field), "")
    is_set = value and not is_of_a_service(variable(field), value)
    return "environment" if is_set else "default"


def _of_data_folder(configured: Settings) -> Mapping[str, str]:
    """What `betcore up` keeps in its data folder: its servers, its keys, a password."""
    with_all = with_keys(configured, *Purpose)
    found = {purpose.setting: getattr(with_all, purpose.setting) for purpose in Purpose}
    found["dashboard_password"] = dashboard_password(configured)
    if configured.data_dir.exists() and (urls := running(configured.data_dir)):
        found |= {"database_url": login_url(urls.database, "operator"), "redis_url": urls.redis}
    return found
