"""Promises of what reads the JSON of a body."""

from models.json_body import read_json


def test_a_key_that_is_named_twice_makes_no_object() -> None:
    assert read_json(b'{"a": 1, "a": 2}') != {"a": "2"}
    assert not isinstance(read_json(b'[{"a": 1, "a": 2}]')[0], dict)  # type: ignore[index]
