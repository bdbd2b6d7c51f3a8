"""Is this gateway alive, and is it ready: for load balancers and process managers."""

from starlette.requests import Request
from starlette.responses import Response

from api.wallet.answers import JSON, found
from api.wallet.errors import try_later
from api.wallet.gateway import Gateway


async def alive(request: Request) -> Response:  # noqa: ARG001
    """200 as long as the process answers."""
    return Response(found({"status": "alive", "_responseCode": 1}), media_type=JSON)


async def ready(request: Request) -> Response:
    """200 when requests can be authenticated and admitted, else 503 and why they cannot.

    `warnings` are what should be changed all the same.
    """
    gateway: Gateway = request.app.state.gateway
    if trouble := gateway.trouble:
        raise try_later(trouble)
    said: dict[str, object] = {"status": "ready", "_responseCode": 1}
    if gateway.warnings:
        said["warnings"] = gateway.warnings
    return Response(found(said), media_type=JSON)
