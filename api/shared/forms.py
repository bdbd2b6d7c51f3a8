"""What a request asks, as pydantic models. Unknown fields are refused, and nothing is converted.

The models of `models/` decide what a valid amount, player or currency is. So the command line and
the APIs agree.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from api.shared.problems import Problem
from models.commands import is_readable
from models.money import JsonNumber

MINUTES_MAX = 366 * 24 * 60
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]")


class Form(BaseModel):
    """The fields of one request."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


Read = TypeVar("Read", bound=Form)


def _decimal_string(value: Any) -> Any:
    if type(value) is not str:
        raise ValueError('an amount is a string such as "12.50": a JSON number may be rounded')
    return value


def whole(value: Any) -> Any:
    """A whole number of JSON, for pydantic. Raises ValueError."""
    if type(value) is JsonNumber:
        try:
            return int(value) if len(value) < 19 else value
        except ValueError:
            pass
    raise ValueError("a whole number is expected")


def _plain_text(value: Any) -> Any:
    if type(value) is not str:
        raise ValueError("text is expected")
    return value


def _rfc_3339(value: Any) -> Any:
    # Otherwise pydantic also takes numbers, such as seconds.
    if type(value) is not str or not _TIME.match(value):
        raise ValueError("a time is RFC 3339, such as 2026-01-31T00:00:00Z")
    return value


Text = Annotated[str, BeforeValidator(_plain_text), Field(min_length=1, max_length=128)]
Amount = Annotated[
    str,
    BeforeValidator(_decimal_string),
    Field(
        examples=["12.50"],
        description="A decimal string, zero or more, below 10^15.",
        json_schema_extra={"pattern": r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
    ),
]
Currency = Annotated[
    str, BeforeValidator(_plain_text), Field(min_length=3, max_length=12, examples=["EUR"])
]
Minutes = Annotated[int, BeforeValidator(whole), Field(ge=1, le=MINUTES_MAX)]
Note = Annotated[
    str | None,
    Field(min_length=1, max_length=500, description="The reason, for the audit log."),
]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc_3339),
    Field(description="A time with its zone.", examples=["2026-01-31T00:00:00Z"]),
]


class Change(Form):
    """A change. The audit log keeps its note."""

    note: Note = None


class Nothing(Form):
    """No field."""


def read_form(form: type[Read], values: Mapping[str, object]) -> Read:
    """The form with these values. Raises Problem: 422, which names every wrong field."""
    for name, value in values.items():
        if not _is_readable(value):
            fault = {"field": name, "message": "it has control characters or lone surrogates"}
            raise Problem(422, "invalid_request", f"{name}: {fault['message']}.", errors=[fault])
    try:
        read = form.model_validate(values)
    except ValidationError as error:
        faults = [_fault(one) for one in error.errors(include_url=False, include_input=False)]
        detail = "; ".join(f"{one['field']}: {one['message']}" for one in faults)
        raise Problem(422, "invalid_request", f"{detail}.", errors=faults) from None
    since, until = getattr(read, "since", None), getattr(read, "until", None)
    if since is not None and until is not None and since > until:
        fault = {"field": "since", "message": "it is later than until"}
        raise Problem(422, "invalid_request", "since is later than until.", errors=[fault])
    return read


def _is_readable(value: object) -> bool:
    """Whether all text in a JSON value can be recorded."""
    if isinstance(value, str):
        return is_readable(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_readable, inner))


def _fault(error: Any) -> dict[str, str]:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "this field is not known here"
    elif error["type"] == "missing":
        message = "this field is missing"
    return {"field": ".".join(map(str, error["loc"])), "message": message}
