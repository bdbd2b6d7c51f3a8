"""The document of the wallet's API is true of every answer that generated requests get."""

import json
import uuid
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from models.exact_json import exact_json
from tests.examples import examples
from tests.service.support.reference import DOCUMENT
from tests.service.support.world import PlayerSession, World

SCHEMA = schemathesis.openapi.from_dict(json.loads(exact_json(DOCUMENT)))
FOUND: list[Any] = list(SCHEMA.get_all_operations())
OPERATIONS = {found.ok().label: found.ok() for found in FOUND}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
MODES = {
    "positive": schemathesis.GenerationMode.POSITIVE,
    "negative": schemathesis.GenerationMode.NEGATIVE,
}
_JSON = "application/json"


@pytest.fixture(scope="module")
def session(world: World) -> PlayerSession:
    """A player whose session takes the generated bets."""
    return world.open_session(world.provider())


class Signed(requests.auth.AuthBase):
    """Signs what is sent, as it is sent: the hook of schemathesis' requests."""

    def __init__(self, player: PlayerSession) -> None:
        self._client = player.client

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Replace the four headers."""
        body: Any = request.body or b""
        sent: bytes = body.encode() if isinstance(body, str) else body
        for name, value in self._client.headers(sent).items():
            request.headers[name] = value
        return request


def may_be_taken(operation: Any, case: Any) -> bool:
    """Whether the document allows the body."""
    described = DOCUMENT["paths"][operation.path][operation.method]
    if "requestBody" not in described:
        return True
    schema = described["requestBody"]["content"][_JSON]["schema"]
    whole = json.loads(exact_json({**schema, "components": DOCUMENT["components"]}))
    return bool(jsonschema.Draft202012Validator(whole).is_valid(case.body))


def make_possible(case: Any, player: PlayerSession) -> None:
    """Change what no schema can say: which session there is, and what excludes what."""
    if "sessionId" in (case.path_parameters or {}):
        case.path_parameters["sessionId"] = quote(player.session_id)
    if isinstance(case.body, dict):
        for claim in ("sessionId", "currency", "userId"):
            case.body.pop(claim, None)
        for amount in {"betAmount", "winAmount"} & case.body.keys():
            if may_be_amount(case.body[amount]):
                case.body[amount] = "1.5"
        if "winAmount" in case.body and "betAmount" not in case.body:
            case.body["betId"] = taken_bet(player)
    if case.query and "betId" in case.query:
        case.query.pop("transactionId", None)
        case.query.pop("gameRoundId", None)


def taken_bet(player: PlayerSession) -> str:
    """The `betId` of a bet that can be paid."""
    bet_id = uuid.uuid4().hex
    assert player.call("pay-in", bet_id, betAmount=1).code == 1
    return bet_id


def may_be_amount(value: Any) -> bool:
    """Whether the document allows an amount."""
    schema = DOCUMENT["components"]["schemas"]["Amount"]
    return bool(jsonschema.Draft202012Validator(json.loads(exact_json(schema))).is_valid(value))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("label", OPERATIONS)
def test_generated_requests_of_providers_get_what_the_document_says(
    session: PlayerSession, label: str, mode: str
) -> None:
    operation: Any = OPERATIONS[label]
    taken: list[bool] = []

    @settings(examples(8), phases=[Phase.generate])
    @given(st.data())
    def asks(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(MODES[mode]))
        if data.draw(st.integers(0, 3)):
            make_possible(case, session)
        with requests.Session() as http:
            response = case.call(base_url=session.client.url, session=http, auth=Signed(session))
        case.validate_response(response, checks=CHECKS)
        assert response.status_code not in (401, 429)
        if response.status_code == 200:
            assert may_be_taken(operation, case), case.body
        taken.append(response.status_code == 200)

    asks()
    assert mode == "negative" or any(taken), "no generated request was taken"
