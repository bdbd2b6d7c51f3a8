"""Who may enter the operator API: keys and their scopes."""

from starlette.requests import Request

from api.shared.bearer import BearerDoor
from api.shared.problems import Problem
from api.shared.services import PortalServices
from models.directory.operator_keys import Scope, ShownKey, check_operator_key


class Door:
    """Lets requests in by their key."""

    def __init__(self, services: PortalServices) -> None:
        self._door = BearerDoor(services, "key", check_operator_key)

    async def enter(self, request: Request, area: Scope, *, change: bool) -> ShownKey:
        """The key of a request that may enter.

        Raises Problem: 401 for a bad key, 403 for a missing scope, 429 for too many requests.
        """
        key = await self._door.admit(request)
        if not key.may(area, change=change):
            wanted = f"{area!s}" if change else f"{area!s} or {Scope.READ!s}"
            raise Problem(
                403, "scope_missing", f"The key needs the scope {wanted}.", scope=str(area)
            )
        return key
