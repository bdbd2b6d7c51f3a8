"""Bodies written by hand: what the tests of bad input send, and how a refusal of one looks."""

from tests.service.support.client import Answer, pay_in_out_path
from tests.service.support.raw import ask, request
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World

_GOOD = {"betId": '"a"', "betAmount": "1", "winAmount": "0"}


def body(**fields: str) -> bytes:
    """A good body, except for these fields, each spelled as it stands in JSON."""
    members = [f'"{name}":{spelling}' for name, spelling in (_GOOD | fields).items()]
    return ("{" + ",".join(members) + "}").encode()


def send(player: PlayerSession, sent: bytes, headers: dict[str, str] | None = None) -> Answer:
    """The answer to a PayInOut with that body, signed now unless headers are given."""
    chosen = headers or player.client.headers(sent)
    return ask(player.client.url, request(pay_in_out_path(player.session_id), sent, chosen))


def assert_taken(player: PlayerSession, sent: bytes) -> Answer:
    """Assert that the body is accepted. Returns its answer."""
    answer = send(player, sent)
    assert (answer.status, answer.code) == (200, 1), answer.body
    return answer


def assert_refused(world: World, player: PlayerSession, *bodies: bytes) -> None:
    """Assert that every body is refused with 2, and leaves nothing but its used nonce."""
    nonces = []
    for sent in bodies:
        headers = player.client.headers(sent)
        nonces.append(headers["X-Request-Id"])
        answer = send(player, sent, headers)
        assert (answer.status, answer.code) == (402, 2), answer.body
        assert set(answer.body) == {"_responseCode", "error", "message", "requestId"}
        assert answer.body["error"] == "invalid_request"
        assert answer.body["requestId"] == nonces[-1]
    assert_no_trace(world, player, *nonces)
