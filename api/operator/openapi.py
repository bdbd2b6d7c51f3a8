"""Describes the operator API by OpenAPI 3.1, from its table of routes and its models."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.operator.answers import ProblemDetails
from api.operator.routes import Route
from api.shared.problems import MEDIA_TYPE

_SCHEMAS = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_PATH_PARAMETERS = {
    "player": "The player's id in your own system, percent-encoded.",
    "sessionId": "The session's id.",
    "providerId": "The provider's counterparty id.",
    "accountId": "The account's id.",
    "secretId": "The id of a secret of the provider.",
    "reference": "The reference of the deposit or withdrawal, percent-encoded.",
}
_PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "There is no key, or no good one.",
    "403": "The key lacks a scope, which the answer names.",
    "404": "Something that the request names does not exist.",
    "409": "It conflicts with what was done before; `code` says how.",
    "413": "The body is too long.",
    "414": "The request line and the headers are too long.",
    "415": "The body is not JSON.",
    "422": "The request is not valid; `errors` names the fields.",
    "431": "The headers are too long or too many.",
    "429": "Too many requests: repeat it after `Retry-After`.",
    "502": "The provider could not be reached, refused, or answered badly; `code` says which.",
    "504": "The provider did not answer in time.",
    "503": "It cannot be done now: repeat the same request after `Retry-After`.",
}
_OF_CHANGES = {"409", "413", "415"}
_OF_CALLS = {"502", "504"}
_AMOUNT = {"type": ["string", "number", "null"], "description": "Zero or more. Null is 0."}
_LISTED = {
    "type": "object",
    "required": ["betId"],
    "properties": {
        "betId": {"type": "string"},
        "stake": _AMOUNT,
        "win": _AMOUNT,
        "state": {"type": ["string", "null"]},
    },
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeat with the same key gets the first answer. Kept for at least 24 h.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "betcore operator API",
            "version": "1",
            "description": "Amounts are decimal strings, times RFC 3339 in UTC.",
        },
        "servers": [{"url": "/operator/v1"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(routes),
            "responses": {status: _problem(status) for status in _PROBLEMS},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{_words(route.path)}",
        "summary": route.summary,
        "description": f"Needs the scope `{route.scope}`{'' if route.changes else ' or `read`'}.",
        "tags": [str(route.scope)],
        "responses": _responses(route),
    }
    if parameters := [*_path_parameters(route), *_query_parameters(route)]:
        found["parameters"] = parameters
    if route.idempotent:
        found["parameters"] = [*parameters, _IDEMPOTENCY_KEY]
    if route.upload:
        content: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in route.upload}
        content["application/json"] = {"schema": {"type": "array", "items": _LISTED}}
        found["requestBody"] = {"required": True, "content": content}
    if route.changes:
        needed = any(field.is_required() for field in route.form.model_fields.values())
        found["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": _reference(route.form)}},
        }
    return found


def _words(path: str) -> str:
    return "".join(word.title() for word in re.findall(r"[A-Za-z]+", path))


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1},
        }


def _query_parameters(route: Route) -> Iterable[dict[str, Any]]:
    if route.changes:
        return
    schema = route.form.model_json_schema(mode="validation")
    for name, described in schema.get("properties", {}).items():
        found = {"name": name, "in": "query", "required": name in schema.get("required", [])}
        if text := described.pop("description", ""):
            found["description"] = text
        # What is left out is null for the model, but a query cannot say null.
        kinds = [one for one in described.pop("anyOf", []) if one.get("type") != "null"]
        if described.get("default", 0) is None:
            del described["default"]
        yield {**found, "schema": {**described, **(kinds[0] if kinds else {})}}


def _responses(route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"application/json": {"schema": _reference(route.answer)}}
    if route.csv:
        answer["text/csv"] = {"schema": {"type": "string"}}
    done = {"description": "Done.", "content": answer}
    found: dict[str, Any] = {str(route.status): done}
    if route.location:
        found[str(route.status)] = {**done, "headers": _headers("Location")}
    if route.later:
        found["202"] = {
            "description": "No worker has answered yet: ask at `Location`.",
            "headers": _headers("Location", "Retry-After"),
            "content": answer,
        }
    for status in _PROBLEMS:
        if status in _OF_CALLS and not route.calls:
            continue
        if route.changes or status not in _OF_CHANGES or (route.upload and status != "409"):
            found[status] = {"$ref": f"#/components/responses/{status}"}
    return found


def _problem(status: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": _reference(ProblemDetails)}},
    }
    if status in ("429", "503"):
        found["headers"] = _headers("Retry-After")
    if status == "401":
        found["headers"] = _headers("WWW-Authenticate")
    return found


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"required": True, "schema": {"type": "string"}} for name in names}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SCHEMAS.format(model=_name(model))}


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _schemas(routes: Sequence[Route]) -> Mapping[str, Any]:
    forms = {route.form for route in routes if route.changes}
    answers = {route.answer for route in routes} | {ProblemDetails}
    wanted: list[tuple[type[BaseModel], Any]] = [(form, "validation") for form in forms]
    wanted += [(answer, "serialization") for answer in answers]
    by_name = sorted(wanted, key=lambda one: _name(one[0]))
    _, found = models_json_schema(by_name, ref_template=_SCHEMAS)
    return dict(found["$defs"])
