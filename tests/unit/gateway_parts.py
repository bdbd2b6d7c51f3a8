"""A gateway in this process: fakeredis runs its admission script, what is behind it is invented."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

import httpx
from fakeredis import FakeRedis

from api.wallet.app import create_app
from api.wallet.auth import Authenticator
from api.wallet.load_shedding import LoadShedder
from api.wallet.questions import Questions
from api.wallet.queued_commands import QueuedCommands
from api.wallet.services import Services, gateway_reads_of
from api.wallet.sessions import Sessions
from broker.admission import Admission, Result, Verdict
from broker.link import Link
from broker.scripts import common_arguments, source
from models.codes import Code
from models.commands import Place
from models.errors import LedgerUnavailable
from models.keys import Purpose
from models.ledger.gateway_reads import Directory, GatewayReads, StoredRules
from models.ledger.ledger import Ledger
from models.outcome import Outcome
from models.secret_cipher import SecretRow
from settings import Settings
from tests.service.support import keys
from tests.service.support.client import ProviderClient

MEMORY = "betcore:memory"
PLACE = Place(
    provider_id=7,
    session_id="a-session",
    account_id=42,
    decimals=2,
    currency="EUR",
    player="anna",
)
DONE = Outcome(Code.DONE, Decimal(5), (8, 9))
SECRET = "example-secret-not-real=="
CLIENT = ProviderClient("", "933a215f-a9e6-4f88-9d91-52a87cd50499", SECRET, httpx.Client())
_ROW = SecretRow(1, PLACE.provider_id, CLIENT.counterparty_id)
_STORED = (_ROW, keys.CIPHER.encrypt(SECRET, _ROW))


class Behind:
    """What stands behind a gateway: providers, sessions, recorded bets. Each part may be away."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.failure: Exception = LedgerUnavailable("no route to 10.0.0.7, as betcore")
        self.record: Outcome | None = None
        self.rules: list[StoredRules] = []

    def directory(self) -> Directory:
        self._reach("providers")
        return Directory([_STORED], self.rules)

    def places(self, session_ids: Sequence[str]) -> list[Place | None]:
        self._reach("sessions")
        return [PLACE if id_ == PLACE.session_id else None for id_ in session_ids]

    def recorded(self, commands: Sequence[Any]) -> list[Outcome | None]:
        self._reach("record")
        return [self.record for _ in commands]

    def close(self) -> None:
        """As every look-up; there is no connection."""

    def _reach(self, what: str) -> None:
        if what in self.away:
            raise self.failure


class ScriptedLink:
    """Runs `admit.lua` on fakeredis. `becomes` is the outcome of a request that it admitted."""

    stream = "betcore:replies:this"

    def __init__(self) -> None:
        self.redis = FakeRedis()
        self.redis.hset(MEMORY, "since", 0)
        self.becomes: Callable[[], Result | Verdict] = DONE.to_json

    def submit(self, admission: Admission) -> asyncio.Future[Any]:
        """As `Link.submit`."""
        [letter] = admit(self.redis, admission)
        if letter == b"A":
            admission.admitted = True
            admission.resolve(self.becomes())
        else:
            admission.refuse(Verdict(letter))
        return admission.future


def admit(redis: FakeRedis, *admissions: Admission) -> list[bytes]:
    """Return the letters with which `admit.lua` answers the requests of one tick."""
    arguments = [value for admission in admissions for value in admission.arguments()]
    script = source("admit")
    limits = ("5", "60", "86400", "3600000", "20000")
    letters, waited = redis.eval(script, 0, *common_arguments("bets"), *limits, *arguments)
    assert 0 <= waited <= 1_000
    return cast("list[bytes]", letters)


class GatewayParts:
    """A gateway's app with its link and all that is behind it."""

    def __init__(
        self, http: httpx.AsyncClient, link: ScriptedLink, behind: Behind, services: Services
    ) -> None:
        self._http = http
        self.authenticator = services.authenticator
        self.load_shedder = services.load_shedder
        self.sessions = services.sessions
        self.link = link
        self.behind = behind

    async def post(
        self, body: bytes, session_id: str = PLACE.session_id, **changed: str
    ) -> httpx.Response:
        """A signed PayInOut; `changed` as in `ProviderClient.headers`."""
        return await self._http.post(
            f"/v1/sessions/{session_id}/bets/pay-in-out",
            content=body,
            headers=CLIENT.headers(body, **changed),
        )

    async def ready(self) -> httpx.Response:
        """What a load balancer is told."""
        return await self._http.get("/readyz")

    def nonces(self) -> list[str]:
        """The nonces that were used up."""
        return [key[-32:] for key in self._keys("betcore:nonce:7:*")]

    def jobs(self) -> list[str]:
        """The keys of jobs, and of what is in flight or waits for a player."""
        keys = ("rq:job:*", "betcore:in_flight", "betcore:waiting:*")
        return [found for key in keys for found in self._keys(key)]

    def _keys(self, pattern: str) -> list[str]:
        return [str(key, "ascii") for key in cast("list[bytes]", self.link.redis.keys(pattern))]


def services_on(settings: Settings, link: Link, behind: Behind) -> Services:
    """Services that admit through `link`. They are never ready, because no real link is started."""
    unreached, nowhere = Link(settings), gateway_reads_of(settings)
    load_shedder = LoadShedder(settings)
    return Services(
        settings,
        load_shedder,
        Authenticator(settings, cast("GatewayReads", behind)),
        Sessions(settings, cast("GatewayReads", behind)),
        QueuedCommands(settings, link, cast("Ledger", behind), load_shedder.goes_ahead),
        Questions(settings, unreached, nowhere, nowhere),
        needed=[unreached],
    )


@asynccontextmanager
async def gateway_parts(**changed: Any) -> AsyncIterator[GatewayParts]:
    """A gateway with these settings."""
    settings = Settings(secrets_key=keys.HEX[Purpose.SECRETS], **changed)
    link, behind = ScriptedLink(), Behind()
    services = services_on(settings, cast("Link", link), behind)
    app = create_app(services)
    # Not the exception that the server would log, but the answer that a provider would get.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        try:
            yield GatewayParts(http, link, behind, services)
        finally:
            await services.stop()
            link.redis.close()
