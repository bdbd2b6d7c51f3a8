"""The Postman collection of the docs calls what the reference describes."""

import json
from typing import Any

from api.reference.document import document
from settings import Settings
from tests.source import ROOT

COLLECTION: dict[str, Any] = json.loads(
    (ROOT / "docs/collection/betcore.postman_collection.json").read_text()
)
DOCUMENT = document(Settings())


def operation_of(item: dict[str, Any]) -> dict[str, Any]:
    """The operation of the document that a request of the collection calls."""
    request = item["request"]
    path = "/".join(["", *request["url"]["path"]]).replace("{{", "{").replace("}}", "}")
    found: dict[str, Any] = DOCUMENT["paths"][path][request["method"].lower()]
    return found


def test_the_collection_has_every_call_with_its_headers_and_no_field_that_is_unknown() -> None:
    headers = set(DOCUMENT["components"]["parameters"])
    called = set()
    for item in COLLECTION["item"]:
        operation, request = operation_of(item), item["request"]
        called.add(operation["operationId"])
        assert item["name"] == operation["operationId"]
        assert {one["key"] for one in request["header"]} - {"Content-Type"} == headers
        queries = {one["key"] for one in request["url"].get("query", [])}
        assert queries <= {one["name"] for one in operation["parameters"] if "name" in one}
        sent = json.loads(request.get("body", {}).get("raw", "{}"))
        schema: Any = {"properties": {}, "required": []}
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["required"]) <= sent.keys() <= schema["properties"].keys()

    assert called == {
        operation["operationId"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
    }


def test_the_collection_signs_and_holds_no_secret() -> None:
    variables = {one["key"]: one["value"] for one in COLLECTION["variable"]}
    [script] = [one for one in COLLECTION["event"] if one["listen"] == "prerequest"]
    said = "\n".join(script["script"]["exec"])

    assert variables["secret"] == ""
    assert "HmacSHA256" in said
    for name in ("timestamp", "nonce", "signature"):
        assert f'pm.variables.set("{name}"' in said
