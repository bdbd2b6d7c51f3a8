"""Answers that are made without the app equal those that the app would give."""

import json

import pytest

from api.wallet.errors import OVERLOADED
from api.wallet.front import WalletFront
from api.wallet.load_shedding import LoadShedder
from server.front import Refusal
from server.http_head import Head
from server.peer import Peer
from settings import Settings

NONCE = "5A0679b6e5fa48f6892c777b0fa92392"


def bet(nonce: str | None, *, keep: bool) -> Head:
    """The head of a bet."""
    head = Head(b"POST", b"/v1/sessions/s/bets/pay-in", b"", is_1_0=False)
    head.fields = [(b"x-request-id", nonce.encode())] if nonce else []
    head.keep_alive = keep
    return head


@pytest.fixture
def front() -> WalletFront:
    """The front of a gateway whose queue is full."""
    load_shedder = LoadShedder(Settings())
    load_shedder.note(1000, 7)
    return WalletFront(load_shedder, retry_after_seconds=3)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("nonce", [NONCE, None])
def test_the_answer_that_is_made_once_is_that_of_this_request(
    front: WalletFront, nonce: str | None, keep: bool
) -> None:
    made = front.refuse_early(bet(nonce, keep=keep), Peer(), 7)

    assert made is not None
    head, _, body = made.partition(b"\r\n\r\n")
    refused = front.refuse(Refusal(503, OVERLOADED), bet(nonce, keep=False))
    assert made == (refused.replace(b"\r\nconnection: close", b"") if keep else refused)
    assert b"503 Service Unavailable" in head
    assert b"\r\nretry-after: 3" in head
    assert (b"\r\nconnection: close" in head) == (not keep)
    assert int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]) == len(body)
    assert (json.loads(body)["_responseCode"], json.loads(body).get("requestId")) == (99, nonce)


def test_what_is_no_bet_is_not_refused_early(front: WalletFront) -> None:
    question = Head(b"GET", b"/v1/bets", b"betId=a", is_1_0=False)

    assert front.refuse_early(question, Peer(), 7) is None
