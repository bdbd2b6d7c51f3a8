"""A developer of the operator's platform, who knows only docs/OPERATOR-API.md."""

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from models.audit.log import operation
from models.directory.operator_keys import add_operator_key
from tests.service.support import keys
from tests.service.support.patience import COMMAND
from tests.service.support.world import World

JSON = "application/json"


@dataclass(frozen=True)
class Caller:
    """Calls the operator API with one key. Paths begin behind `/operator/v1`."""

    url: str
    key: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=COMMAND))

    def with_key(self, key: str) -> "Caller":
        """The same caller with another key."""
        return replace(self, key=key)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Ask."""
        return self.http.get(self._at(path), params=query or None, headers=self._headers())

    def post(self, path: str, headers: Any = None, **body: Any) -> httpx.Response:
        """Change something, with a JSON body of these fields."""
        return self.send(path, json.dumps(body).encode(), headers)

    def put(self, path: str, **body: Any) -> httpx.Response:
        """Replace something by these fields."""
        return self.send(path, json.dumps(body).encode(), method="PUT")

    def patch(self, path: str, **body: Any) -> httpx.Response:
        """Change these fields of something."""
        return self.send(path, json.dumps(body).encode(), method="PATCH")

    def send(
        self, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> httpx.Response:
        """Send these very bytes, or parts of bytes."""
        chosen = self._headers() | {"Content-Type": JSON} | (headers or {})
        return self.http.request(method, self._at(path), content=body, headers=chosen)

    def done(self, response: httpx.Response, status: int = 200) -> Any:
        """The JSON of an answer with this status."""
        assert response.status_code == status, response.text
        return response.json()

    def _at(self, path: str) -> str:
        return f"{self.url}/operator/v1{path}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem details of a refusal, which has this status and this code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (document["status"], document["code"]) == (status, code), document
    assert document.keys() >= {"type", "title", "detail"}
    return dict(document)


def new_key(world: World, *scopes: str) -> str:
    """A new key with these scopes."""
    with operation(world.operator_url, keys.AUTHOR) as database:
        _, key = add_operator_key(database, f"key-{uuid.uuid4().hex}", scopes)
    return key


def fresh(what: str = "player") -> str:
    """A name that nobody has used."""
    return f"{what} {uuid.uuid4().hex}"
