"""Who may enter an API whose callers show a secret: `Authorization: Bearer SECRET` (RFC 6750)."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.shared.problems import Problem, too_many
from api.shared.services import PortalServices
from api.shared.throttles import Buckets
from models.database.failures import unavailable
from models.directory.operator_keys import BadKey, EndedKey
from server.callers import site_of

_BURST_SECONDS = 2
_GOOD_MAX = 1_000


class Identified(Protocol):
    """Who a secret belongs to."""

    @property
    def id(self) -> int:
        """Names the caller for its limit of requests."""


Caller = TypeVar("Caller", bound=Identified)


class BearerDoor(Generic[Caller]):
    """Lets requests in by their secret. Limits wrong ones per address, and requests per caller."""

    def __init__(
        self, services: PortalServices, what: str, check: Callable[[str, str], Caller]
    ) -> None:
        """`what` names the secret, such as `key`.

        `check` gets the database and the secret. It raises BadKey or EndedKey.
        """
        settings = services.settings
        per_second = settings.operator_requests_per_second
        failures = settings.operator_key_failures_per_minute
        self._services = services
        self._what = what
        self._check = check
        self._uses = Buckets(per_second, max(1.0, per_second * _BURST_SECONDS))
        self._failures = Buckets(failures / 60, failures)
        # Secrets that were good before. Somebody who guesses at the same address, such as that of a
        # proxy, cannot shut these out. Each is still checked every time.
        self._good: LRUCache[str, bool] = LRUCache(_GOOD_MAX)

    async def admit(self, request: Request) -> Caller:
        """Who sent a request. Raises Problem: 401 for a bad secret, 429 for too many requests."""
        presented = self._presented(request)
        address = self._services.caller(request.scope)
        caller = await self._checked(presented, site_of(address))
        if wait := self._uses.wait_seconds(str(caller.id)):
            raise too_many(wait, f"This {self._what} asks too often.")
        self._uses.take(str(caller.id))
        return caller

    async def _checked(self, presented: str, site: str) -> Caller:
        known = presented in self._good
        if not known and (wait := self._failures.wait_seconds(site)):
            what = self._what
            raise too_many(wait, f"Too many requests with a wrong {what} came from this address.")
        try:
            caller = await run_in_threadpool(self._ask, presented)
        except BadKey as error:
            self._failures.take(site)
            self._good.pop(presented, None)
            ended = f"The {self._what} was revoked, or it has expired."
            wrong = f"There is no such {self._what}."
            detail = ended if isinstance(error, EndedKey) else wrong
            raise _unauthorized("invalid_token", detail) from None
        self._good[presented] = True
        return caller

    def _ask(self, presented: str) -> Caller:
        with unavailable():
            return self._check(self._services.database_url, presented)

    def _presented(self, request: Request) -> str:
        given = request.headers.getlist("authorization")
        scheme, _, presented = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer":
            word = self._what.upper()
            raise _unauthorized("", f"Send the header `Authorization: Bearer {word}`.")
        return presented.strip()


def _unauthorized(error: str, detail: str) -> Problem:
    challenge = 'Bearer realm="betcore"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": challenge})
