"""A person at the console, with a browser that has no script: pages, forms, cookies."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

from models.audit.log import operation
from models.directory.console_users import add_user
from tests.service.support import keys
from tests.service.support.patience import COMMAND
from tests.service.support.world import World


class Page(HTMLParser):
    """What a page has: its text, its elements with their attributes, and its forms."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: dict[str, dict[str, str]] = {}  # the fields of each, by its address
        self._form: dict[str, str] = {}
        self._texts: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        """All that is between tags."""
        return " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag == "form":
            self._form = self.forms.setdefault(found.get("action", ""), {})
        elif tag == "input" and "name" in found:
            self._form[found["name"]] = found.get("value", "")

    def handle_data(self, data: str) -> None:
        """Called by the parser."""
        self._texts.append(data)


@dataclass
class Person:
    """Somebody with a name, a password and cookies. Paths begin behind `/console`."""

    url: str
    name: str
    password: str
    address: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=COMMAND))

    def __post_init__(self) -> None:
        if self.address:
            self.http.headers["X-Forwarded-For"] = self.address

    def get(self, path: str, **query: str) -> httpx.Response:
        """Ask for a page."""
        return self.http.get(f"{self.url}/console{path}", params=query or None)

    def page(self, path: str, **query: str) -> Page:
        """A page that is there."""
        response = self.get(path, **query)
        assert response.status_code == 200, (response.status_code, response.text)
        return Page(response.text)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with these very fields."""
        return self.http.post(f"{self.url}/console{path}", data=fields)

    def submit(self, page: Page, action: str, **fields: str) -> httpx.Response:
        """Send a form of a page, with the fields that it has and these."""
        return self.post(action, **(page.forms[f"/console{action}"] | fields))

    def log_in(self, next_: str = "", password: str | None = None) -> httpx.Response:
        """Log in by the form."""
        form = self.page("/login", **({"next": next_} if next_ else {}))
        given = {"name": self.name, "password": password or self.password}
        return self.submit(form, "/login", **given)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the browser."""
        return dict(self.http.cookies)


@contextmanager
def person(
    world: World, url: str, role: str, address: str = "", name: str = ""
) -> Iterator[Person]:
    """Somebody new with this role, who is not logged in."""
    name = name or f"user-{uuid.uuid4().hex}"
    with operation(world.operator_url, keys.AUTHOR) as database:
        _, password = add_user(database, name, role)
    one = Person(url, name, password, address)
    try:
        yield one
    finally:
        one.http.close()


@contextmanager
def logged_in(world: World, url: str, role: str) -> Iterator[Person]:
    """Somebody new with this role, who is logged in."""
    with person(world, url, role) as one:
        assert one.log_in().status_code == 303
        yield one
