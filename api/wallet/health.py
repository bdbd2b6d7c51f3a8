"""Health checks for load balancers and process managers: is this gateway alive, is it ready?"""

from starlette.requests import Request
from starlette.responses import Response

from api.wallet.answers import JSON, found
from api.wallet.errors import try_later
from api.wallet.services import Services


async def alive(request: Request) -> Response:  # noqa: ARG001
    """200 as long as the process answers."""
    return Response(found({"status": "alive", "_responseCode": 1}), media_type=JSON)


async def ready(request: Request) -> Response:
    """Answer 200 if requests can be authenticated and admitted, otherwise 503 and the reason.

    `warnings` name what should be fixed although the gateway is ready.
    """
    services: Services = request.app.state.services
    if trouble := services.trouble:
        raise try_later(trouble)
    said: dict[str, object] = {"status": "ready", "_responseCode": 1}
    if services.warnings:
        said["warnings"] = services.warnings
    return Response(found(said), media_type=JSON)
