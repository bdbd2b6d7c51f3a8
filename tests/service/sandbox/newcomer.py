"""An integrator who knows only the URL of the wallet and docs/SANDBOX.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.service.support.client import ProviderClient
from tests.service.support.http import http_client
from tests.service.support.patience import COMMAND
from tests.service.support.processes import until
from tests.service.support.world import PlayerSession, World


@dataclass(frozen=True)
class Newcomer:
    """A provider of the sandbox. Paths begin behind `/sandbox/v1`."""

    http: httpx.Client
    portal: str
    made: dict[str, Any]
    client: ProviderClient

    @property
    def id(self) -> str:
        """Its `X-Counterparty-Id`."""
        return str(self.made["providerId"])

    def call(self, method: str, path: str, **fields: Any) -> httpx.Response:
        """A call with its token, with a JSON body of these fields if there are any."""
        headers = {"Authorization": f"Bearer {self.made['token']}"}
        body = fields or None
        url = f"{self.portal}/sandbox/v1{path}"
        return self.http.request(method, url, json=body, headers=headers)

    def done(self, method: str, path: str, status: int = 200, **fields: Any) -> Any:
        """The JSON of an answer with this status."""
        answered = self.call(method, path, **fields)
        assert answered.status_code == status, answered.text
        return answered.json()

    def session(self, **fields: Any) -> PlayerSession:
        """A new session of one of its players."""
        opened = self.done("POST", "/sessions", 201, **fields)
        return PlayerSession(self.client, opened["sessionId"], int(opened["accountId"]))

    def requests(self, count: int = 1) -> list[dict[str, Any]]:
        """Its last requests, once there are so many."""
        found: list[dict[str, Any]] = []

        def are_there() -> bool:
            found[:] = self.done("GET", "/requests")["items"]
            return len(found) >= count

        until(are_there)
        return found


@dataclass(frozen=True)
class Sandbox:
    """Where the sandbox is."""

    world: World
    wallet: str
    portal: str

    @contextmanager
    def newcomer(self) -> Iterator[Newcomer]:
        """Somebody who makes a provider through the wallet's address, as everybody does."""
        with http_client(COMMAND, follow_redirects=True) as http:
            answered = http.post(f"{self.wallet}/sandbox/v1/providers", json={"name": "new"})
            assert answered.status_code == 201, answered.text
            made = answered.json()
            client = ProviderClient(made["walletUrl"], made["providerId"], made["secret"], http)
            yield Newcomer(http, made["sandboxUrl"], made, client)
