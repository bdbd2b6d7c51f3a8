"""The schemas of the reference allow what the gateway reads, and nothing else."""

import json
from typing import Any

import jsonschema
import pytest

from api.reference.calls import CALLS, WalletCall
from api.reference.document import served
from models.commands import Place
from models.errors import InvalidRequest
from models.json_body import read_object
from settings import Settings

PLACE = Place(1, "session", 1, 2, "EUR", "7")
DOCUMENT: dict[str, Any] = json.loads(served(Settings()))
BETS = [call for call in CALLS if call.command]
#: Values as JSON. Some are right in one field and wrong in another one.
VALUES = (
    *('"7"', "7", '"007"', "0", '""', '"a b"', '"é"', '"\\u0001"', '"\\u0085"', "null", "true"),
    *("false", "[]", "{}", "-1", '"-1"', "1.5", '"1.5"', '"1."', '".5"', '"1e1"', '"1E+1"', '"1e"'),
    *('" 1"', '"1_0"', '"+1"', '"NaN"', "1e1", "999999999999999", "1000000000000000", '"٣"'),
    *(f'"{"a" * 128}"', f'"{"a" * 129}"', "-7"),
)
IDS = ("betId", "gameRoundId", "gameId")
#: What only the description says: to JSON Schema, 1e1 is an integer like 10.
UNSAID = {(field, "1e1") for field in IDS}
FIELDS = (*IDS, "betAmount", "winAmount", "winOdd", "roundFinished")


def is_read(call: WalletCall, body: str) -> bool:
    """Whether the gateway's own code reads a body."""
    assert call.command is not None
    try:
        call.command.read(read_object(body.encode()), PLACE)
    except InvalidRequest:
        return False
    return True


def is_allowed(call: WalletCall, body: str) -> bool:
    """Whether the document allows it."""
    described = DOCUMENT["paths"][call.path]["post"]["requestBody"]["content"]
    schema = described["application/json"]["schema"] | {"components": DOCUMENT["components"]}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(json.loads(body)))


def bodies(call: WalletCall, field: str, value: str) -> str:
    """The usual body with this value in a field."""
    usual = {name: json.dumps(item) for name, item in call.body.items()} | {field: value}
    return "{" + ",".join(f'"{name}":{item}' for name, item in usual.items()) + "}"


@pytest.mark.parametrize("call", BETS, ids=[call.name for call in BETS])
def test_a_schema_allows_what_is_read_and_nothing_else(call: WalletCall) -> None:
    different = []
    for field in FIELDS:
        for value in VALUES:
            body = bodies(call, field, value)
            read = is_read(call, body)
            if read != is_allowed(call, body) and (field, value) not in UNSAID:
                different.append((field, value, read))
    assert different == []


@pytest.mark.parametrize("call", BETS, ids=[call.name for call in BETS])
def test_a_missing_field_is_refused_by_both(call: WalletCall) -> None:
    for field in call.body:
        body = json.dumps({name: item for name, item in call.body.items() if name != field})
        assert is_read(call, body) == is_allowed(call, body), field
