"""The rooms of the portal: each is found, in whatever order they are named."""

import httpx
import pytest

from api.portal.app import create_app
from api.shared.services import PortalServices
from settings import Settings

KEY = "ab" * 32


def portal(rooms: list[str]) -> httpx.AsyncClient:
    """A client of a portal with these rooms, which is not started."""
    services = PortalServices(Settings(operator_key=KEY, secrets_key=KEY))
    transport = httpx.ASGITransport(create_app(services, rooms))
    return httpx.AsyncClient(transport=transport, base_url="http://portal.test")


@pytest.mark.parametrize("rooms", [["reference", "operator"], ["operator", "reference"]])
async def test_the_room_at_the_root_hides_no_other(rooms: list[str]) -> None:
    async with portal(rooms) as client:
        assert (await client.get("/healthz")).status_code == 200
        wallet = (await client.get("/openapi.json")).json()
        operator = (await client.get("/operator/v1/openapi.json")).json()
        missing = (await client.get("/nothing")).json()

    assert wallet["info"]["title"] == "betcore wallet API"
    assert operator["info"]["title"] == "betcore operator API"
    assert missing["code"] == "not_found"


async def test_a_portal_without_the_reference_does_not_serve_it() -> None:
    async with portal(["operator"]) as client:
        for path in ("/openapi.json", "/docs"):
            assert (await client.get(path)).status_code == 404
