"""The OpenAPI document: valid, and true of every answer that generated requests get."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import requests
import schemathesis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from api.operator.openapi import document
from api.operator.routes import ROUTES
from tests.examples import examples
from tests.service.portal.caller import Caller, fresh
from tests.service.support.processes import PortalProcess

SCHEMA = schemathesis.openapi.from_dict(document(ROUTES))
FOUND: list[Any] = list(SCHEMA.get_all_operations())
OPERATIONS = {found.ok().label: found.ok() for found in FOUND}
ALWAYS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
MODES = {
    "positive": (schemathesis.GenerationMode.POSITIVE, ALWAYS),
    "negative": (
        schemathesis.GenerationMode.NEGATIVE,
        [*ALWAYS, checks.negative_data_rejection],
    ),
}


@pytest.fixture(scope="module")
def known(api: Caller, provider_id: str) -> dict[str, str]:
    """Names of things that exist, by the names of their fields."""
    player, reference = fresh(), fresh("r")
    names = {"currency": "EUR", "providerId": provider_id}
    opened = api.done(api.post("/sessions", player=player, **names), 201)
    deposit = {"currency": "EUR", "amount": "5", "reference": reference}
    api.done(api.post(f"/players/{player}/deposits", **deposit))
    secret = api.done(api.post(f"/providers/{provider_id}/secrets"), 201)
    of_session = {"sessionId": opened["sessionId"], "secretId": secret["secretId"]}
    return {**names, **of_session, "player": player, "reference": reference, "amount": "1.5"}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Keeps its connections."""
    with requests.Session() as opened:
        yield opened


def arrived(case: Any, url: str) -> bool:
    """Whether the URL has every parameter of the query. One whose value is empty may be left out.

    Such a request may be right although its case was wrong.
    """
    sent = parse_qs(urlsplit(url).query, keep_blank_values=True)
    return set(case.query or ()) <= sent.keys()


def test_the_document_is_open_and_valid(portal: PortalProcess) -> None:
    served = httpx.get(f"{portal.url}/operator/v1/openapi.json")

    assert served.status_code == 200
    assert served.headers["content-type"] == "application/json"
    OpenAPIV31SpecValidator(served.json()).validate()
    assert served.json() == document(ROUTES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("label", OPERATIONS)
def test_generated_requests_get_what_the_document_says(
    api: Caller, session: requests.Session, known: dict[str, str], label: str, mode: str
) -> None:
    generation, wanted = MODES[mode]
    operation: Any = OPERATIONS[label]

    @settings(examples(2), phases=[Phase.generate])
    @given(st.data())
    def asks(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation))
        if mode == "positive" and data.draw(st.booleans()):
            for values in (case.path_parameters, case.query, case.body):
                if isinstance(values, dict):
                    values.update({name: known[name] for name in values if name in known})
        response = case.call(
            base_url=f"{api.url}/operator/v1",
            session=session,
            headers={"Authorization": f"Bearer {api.key}"},
        )
        checked = wanted if arrived(case, response.request.url) else ALWAYS
        case.validate_response(response, checks=checked)
        assert mode == "negative" or response.status_code not in (401, 403, 429)

    asks()
    assert operation.label == label


def test_every_route_asks_for_a_key(portal: PortalProcess) -> None:
    with httpx.Client(base_url=f"{portal.url}/operator/v1") as nobody:
        for route in ROUTES:
            path = route.path.replace("{", "").replace("}", "")
            assert nobody.request(route.method, path).status_code == 401
