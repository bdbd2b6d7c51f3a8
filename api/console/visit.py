"""One visit to a page of the console: who visits, what is asked, and how it is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

from api.shared.bodies import read_body
from api.shared.problems import Problem
from api.shared.work import Work
from models.commands import is_readable
from models.directory.console_users import ShownUser
from models.reports.paging import Item, Listing, Page

ROWS = 50
_FIELDS_MAX = 40
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class View:
    """A page: the name of its template, and what the template shows."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Go:
    """Another page of the console to go to. `done` is said there: a key of `DONE`."""

    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    done: str = ""

    @property
    def path(self) -> str:
        """The path below the console's own, with its query."""
        query = dict(self.query) | ({"done": self.done} if self.done else {})
        return self.page + (f"?{urlencode(query)}" if query else "")


#: What is said after a change. The address names one of these, and no other text.
DONE = {
    "blocked": "The player is blocked: new bets are refused.",
    "unblocked": "The player may bet again.",
    "closed": "The session is closed.",
    "extended": "The session lasts longer.",
    "suspended": "The provider is suspended: new bets are refused.",
    "resumed": "The provider may send new bets again.",
    "locked": "The provider is locked: no call is accepted within 2 seconds.",
    "unlocked": "Calls of the provider are accepted again.",
    "limits": "The limits are changed.",
    "allow-list": "The allow-list is changed. Gateways obey it within 2 seconds.",
    "revoked": "The secret is revoked.",
    "queue-suspended": "The queue is suspended: every bet is refused.",
    "queue-resumed": "The queue goes on.",
    "requeued": "What could still be applied is on the queue again.",
    "role": "The user has another role.",
    "ended": "The user is revoked.",
}


@dataclass(frozen=True, slots=True)
class Visit(Work):
    """A visit of a user who is logged in. `fields` are those of the query, or of the form."""

    user: ShownUser
    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field that the page cannot do without. Raises Problem."""
        if found := self.fields.get(name, "").strip():
            return found
        raise Problem(422, "invalid_request", f"The field {name!r} is missing.")

    def option(self, name: str) -> str | None:
        """A field, or None if it is empty or not there."""
        return self.fields.get(name, "").strip() or None

    @property
    def note(self) -> str | None:
        """Why something is done, for the audit log."""
        return self.option("note")

    def whole(self, name: str, most: int) -> int:
        """A whole number of 1 to `most`. Raises Problem."""
        text = self.text(name)
        if text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= most:
            return int(text)
        raise Problem(422, "invalid_request", f"{name} is a whole number from 1 to {most}.")

    def day(self, name: str) -> datetime | None:
        """The beginning of a day (UTC), or None. Raises Problem."""
        text = self.option(name)
        try:
            return (text and datetime.combine(date.fromisoformat(text), time(), UTC)) or None
        except ValueError:
            raise Problem(422, "invalid_request", f"{name} is a day such as 2026-01-31.") from None

    def listed(self, listing: Listing[Item]) -> Page[Item]:
        """The page of a list that the field `cursor` names, or the first one."""
        return self.page(listing, ROWS, self.option("cursor"))


def query_of(request: Request) -> dict[str, str]:
    """The fields of the query. Raises Problem."""
    return _fields(request.query_params.multi_items())


async def form_of(request: Request, bytes_max: int) -> dict[str, str]:
    """The fields of a form. Raises Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Problem(415, "unsupported_media_type", "A form of the console is expected.")
    body = await read_body(request, bytes_max)
    try:
        items = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise Problem(400, "invalid_form", "The form cannot be read.") from None
    return _fields(items)


def _fields(items: Sequence[tuple[str, str]]) -> dict[str, str]:
    found = dict(items)
    if len(found) != len(items):
        raise Problem(422, "invalid_request", "A field is given twice.")
    for name, value in items:
        if "\ufffd" in value or not is_readable(value):
            raise Problem(422, "invalid_request", f"The field {name[:40]!r} is not plain text.")
    return found
