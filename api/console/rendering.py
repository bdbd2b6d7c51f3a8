"""Makes pages from templates. Every text is escaped, and a name that is not given is an error."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from models.money import plain

_CAPITAL = re.compile("[A-Z]")
NOTHING = "\N{EN DASH}"
_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Files:
    """The files of `static/`, in memory. Their addresses change with what they hold."""

    def __init__(self) -> None:
        self._found = {path.name: path.read_bytes() for path in (_HERE / "static").iterdir()}
        said = b"".join(self._found[name] for name in sorted(self._found))
        self.version = hashlib.sha256(said).hexdigest()[:12]

    def find(self, name: str) -> tuple[bytes, str] | None:
        """What a file holds and its media type, or None."""
        if name not in self._found:
            return None
        return self._found[name], _TYPES[Path(name).suffix]


class Templates:
    """The templates of the console."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"shown": shown, "lasting": lasting, "query": query}
        self._environment.filters |= {"worded": worded, "measured": measured, "amount": amount}
        self._environment.filters["moment"] = moment
        parts = self._environment.get_template("parts.html").module
        self._environment.globals["parts"] = parts

    def render(self, name: str, values: Mapping[str, object]) -> str:
        """A page."""
        return self._environment.get_template(f"{name}.html").render(values)


def shown(value: object) -> object:
    """A value as people read it: amounts without exponents, times in UTC, a dash for nothing."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        said = f"{value:%Y-%m-%d %H:%M:%S}"
        return Markup('<time datetime="{}">{}</time>').format(f"{value:%Y-%m-%dT%H:%M:%SZ}", said)
    return value


def moment(text: str) -> datetime | str:
    """A time that RQ wrote. Anyone may have written the text: what is no time stays as it is."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text


def amount(value: Decimal | None) -> str:
    """An amount as a field of a form has it; empty if there is none."""
    return "" if value is None else plain(value)


def query(fields: Mapping[str, object]) -> str:
    """The query of an address, without empty fields."""
    return urlencode({name: value for name, value in fields.items() if value not in (None, "")})


def worded(name: str) -> str:
    """A name of the API in words, such as `balance after`."""
    return _CAPITAL.sub(lambda found: f" {found[0].lower()}", name)


def measured(value: float | None, unit: str = "") -> str:
    """A measured number with three digits, such as `12.3 ms`."""
    if value is None:
        return NOTHING
    said = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{said} {unit}" if unit else said


def lasting(value: timedelta | Decimal | int | None) -> str:
    """A time that passed, such as `3 min`."""
    if value is None:
        return NOTHING
    seconds = int(value.total_seconds()) if isinstance(value, timedelta) else int(value)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
