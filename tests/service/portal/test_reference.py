"""The reference of the wallet's API: valid, served without a key, and every example is true."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.wallet.errors import NAMES
from models.codes import Code
from models.reason import Reason
from tests.service.support.processes import BoundedGatewayProcess, GatewayProcess, PortalProcess
from tests.service.support.reference import DOCUMENT, EXAMPLES, NOT_CAUSED, Shown, prepare, send
from tests.service.support.world import World

#: What no two answers have in common. Of these the form is compared.
VARIES = {
    "betTransactionId": r"\d+",
    "winTransactionId": r"\d+",
    "refundTransactionId": r"\d+",
    "requestId": "[0-9a-f]{32}",
    "createdAt": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "updatedAt": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
}
CAUSED = [one for one in EXAMPLES if one.name not in NOT_CAUSED]


def formed(value: Any) -> Any:
    """An answer whose varying fields are replaced by their forms, where they have these."""
    if isinstance(value, list):
        return [formed(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, item in value.items():
        form = VARIES.get(name)
        known = form is not None and isinstance(item, str) and re.fullmatch(form, item)
        found[name] = form if known else formed(item)
    return found


@pytest.fixture(scope="module")
def gateway(world: World) -> Iterator[GatewayProcess]:
    """A gateway as it is served, with its own HTTP server."""
    with BoundedGatewayProcess(world.urls) as started:
        started.wait_ready()
        yield started


@pytest.mark.parametrize("shown", CAUSED, ids=[f"{one.call} {one.name}" for one in CAUSED])
def test_an_example_gets_the_answer_that_the_reference_shows(
    world: World, gateway: GatewayProcess, shown: Shown
) -> None:
    if shown.call == "bets":
        world.wait_for_memory()
    player, session_id = prepare(world, gateway, shown)
    wrong = {"sign": "0" * 64} if shown.name == "unauthorized" else {}
    if shown.name == "by_transaction":
        [(transfer,)] = world.rows(
            "select id from transfer where account = %s and bet is not null", player.account_id
        )
        shown = shown._replace(query={"transactionId": transfer})

    answer = send(player.client, shown, session_id, **wrong)

    assert answer.status == shown.status, answer.body
    assert formed(answer.body) == formed(shown.answer)


def test_the_document_is_valid_and_names_every_code_and_reason() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    answers = [one.answer for one in EXAMPLES]
    described = {
        (one["operationId"], int(status))
        for operations in DOCUMENT["paths"].values()
        for one in operations.values()
        for status in one["responses"]
    }

    assert {(one.call, one.status) for one in EXAMPLES} == described
    assert {status for _, status in described} >= {400, 404, 414, 431}
    assert {answer["_responseCode"] for answer in answers} == set(Code)
    assert {answer.get("error") for answer in answers} == {*NAMES.values(), None}
    refused = {one.answer.get("reason") for one in EXAMPLES if one.status == 402}
    assert refused == {*Reason, None}
    for reason in Reason:
        assert f"`{reason}`" in DOCUMENT["info"]["description"]


def test_the_page_and_the_document_are_open_and_load_nothing_from_elsewhere(
    portal: PortalProcess,
) -> None:
    served = httpx.get(f"{portal.url}/openapi.json")
    page = httpx.get(f"{portal.url}/docs")

    assert served.headers["content-type"] == "application/json"
    assert served.json(parse_float=Decimal) == DOCUMENT
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "://" not in page.text
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) >= 4
    for file in files:
        found = httpx.get(f"{portal.url}/{file}")
        assert (found.status_code, found.headers["x-content-type-options"]) == (200, "nosniff")


def test_the_root_answers_nothing_else_and_leaves_the_other_rooms_alone(
    portal: PortalProcess,
) -> None:
    for path in ("/", "/nothing", "/docs/", "/docs/page/../../app.py", "/docs/page/nothing.js"):
        missing = httpx.get(f"{portal.url}{path}")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found"), path
    assert httpx.post(f"{portal.url}/docs").status_code == 405
    assert httpx.get(f"{portal.url}/operator/v1/openapi.json").status_code == 200
    assert httpx.get(f"{portal.url}/console").status_code == 307
