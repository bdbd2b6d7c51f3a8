"""Answers that are made without the app are those that the app would give."""

import json

import pytest

from api.wallet.errors import OVERLOADED, try_later
from api.wallet.front import turned_away, whole

NONCE = "5A0679b6e5fa48f6892c777b0fa92392"


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("nonce", [NONCE, None])
def test_the_answer_that_is_made_once_is_that_of_this_request(
    nonce: str | None, keep: bool
) -> None:
    headers = [(b"x-request-id", nonce.encode())] if nonce else []

    made = turned_away(nonce, keep=keep)

    assert made == whole(try_later(OVERLOADED), headers, keep=keep)
    head, _, body = made.partition(b"\r\n\r\n")
    assert b"503 Service Unavailable" in head
    assert b"\r\nretry-after: 1" in head
    assert (b"\r\nconnection: close" in head) == (not keep)
    assert int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]) == len(body)
    assert (json.loads(body)["_responseCode"], json.loads(body).get("requestId")) == (99, nonce)
