"""Who may enter the operator API: keys, scopes, and how often."""

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.shared.problems import Problem, too_many
from api.shared.services import PortalServices
from api.shared.throttles import Buckets
from models.database.failures import unavailable
from models.directory.operator_keys import BadKey, EndedKey, Scope, ShownKey, check_operator_key
from server.callers import site_of

_BURST_SECONDS = 2
_GOOD_MAX = 1_000


class Door:
    """Lets requests in by their key."""

    def __init__(self, services: PortalServices) -> None:
        settings = services.settings
        per_second = settings.operator_requests_per_second
        failures = settings.operator_key_failures_per_minute
        self._services = services
        self._uses = Buckets(per_second, max(1.0, per_second * _BURST_SECONDS))
        self._failures = Buckets(failures / 60, failures)
        # Keys that were good before. Somebody who guesses keys at the same address, such as that of
        # a proxy, cannot shut these out. Each is still checked every time.
        self._good: LRUCache[str, bool] = LRUCache(_GOOD_MAX)

    async def enter(self, request: Request, area: Scope, *, change: bool) -> ShownKey:
        """The key of a request that may enter.

        Raises Problem: 401 for a bad key, 403 for a missing scope, 429 for too many requests.
        """
        presented = _bearer(request)
        address = self._services.caller(request.scope)
        key = await self._checked(presented, site_of(address))
        if wait := self._uses.wait_seconds(str(key.id)):
            raise too_many(wait, "This key asks too often.")
        self._uses.take(str(key.id))
        if not key.may(area, change=change):
            wanted = f"{area!s}" if change else f"{area!s} or {Scope.READ!s}"
            raise Problem(
                403, "scope_missing", f"The key needs the scope {wanted}.", scope=str(area)
            )
        return key

    async def _checked(self, presented: str, site: str) -> ShownKey:
        known = presented in self._good
        if not known and (wait := self._failures.wait_seconds(site)):
            raise too_many(wait, "Too many requests with a wrong key came from this address.")
        try:
            key = await run_in_threadpool(_check, self._services.database_url, presented)
        except BadKey as error:
            self._failures.take(site)
            self._good.pop(presented, None)
            ended = isinstance(error, EndedKey)
            raise unauthorized("invalid_token", _ENDED if ended else _WRONG) from None
        self._good[presented] = True
        return key


_WRONG = "There is no such key."
_ENDED = "The key was revoked, or it has expired."


def unauthorized(error: str, detail: str) -> Problem:
    """The answer to a request without a good key (RFC 6750)."""
    challenge = 'Bearer realm="betcore"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": challenge})


def _bearer(request: Request) -> str:
    given = request.headers.getlist("authorization")
    scheme, _, presented = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer":
        raise unauthorized("", "Send the header `Authorization: Bearer KEY`.")
    return presented.strip()


def _check(database_url: str, presented: str) -> ShownKey:
    with unavailable():
        return check_operator_key(database_url, presented)
