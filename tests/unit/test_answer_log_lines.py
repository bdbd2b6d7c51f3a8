"""Lines about answers: no value from outside breaks one, and a flood of them costs little."""

import logging
import time

import pytest

from api.wallet import answer_log
from api.wallet.answer_log import log_answer, sum_up
from api.wallet.errors import ApiError, invalid, refused, try_later, unauthorized
from models.codes import Code
from models.reason import Reason
from tests.unit.gateway_parts import CLIENT, SECRET

BODY = b'{"betId":"bet 17","betAmount":1,"winAmount":0}'


@pytest.fixture(autouse=True)
def fresh(caplog: pytest.LogCaptureFixture) -> None:
    """Empty the throttle, so that no earlier line counts."""
    sum_up(everything=True)
    caplog.clear()
    caplog.set_level(logging.INFO, "betcore.answers")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines about answers."""
    return [r.getMessage() for r in caplog.records if r.name == "betcore.answers"]


def test_of_a_flood_nothing_is_put_together_that_is_not_written(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_together: list[object] = []
    monkeypatch.setattr(answer_log, "shown", put_together.append)

    for _ in range(1000):
        log_answer(try_later("Too many."), [(b"x-request-id", b"0" * 32)], "/v1/bets", b"betId=a")

    assert len(put_together) == 10 * 5
    assert len(lines(caplog)) == 10


def test_kinds_do_not_hide_each_other(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        for error in (
            refused(Code.NOT_ALLOWED, None, Reason.ABOVE_LIMIT),
            refused(Code.NOT_ALLOWED, None, Reason.BELOW_LIMIT),
        ):
            log_answer(error)
        log_answer(unauthorized("X-Sign is missing"))
        log_answer(unauthorized("the timestamp is too old", "it is %.1f s", time.monotonic()))

    sum_up(everything=True)

    assert sum("more like it" in text for text in lines(caplog)) == 4
    assert sum("above_limit" in text for text in lines(caplog)) == 6


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\r\n2026-01-01T00:00:00.000Z gateway INFO answer status=200",
        "\x1b[2J",
        "\x00",
        "a\u2028b\u0085c\x0bd",
        "\u202eabc",
        "\u200b\ufeff",
        "\ud800",
        "x" * 100_000,
        "'quoted' \\ \"twice\"",
    ],
)
def test_nothing_from_outside_begins_a_line_moves_the_cursor_or_has_no_end(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    headers = [(b"x-request-id", raw), (b"x-counterparty-id", raw)]
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    bodies = [b'{"betId":"%b"}' % raw, b'{"betId":"%b"}' % escaped.encode(), raw]

    for body in bodies:
        log_answer(invalid(text, 400), headers, f"/v1/sessions/{text}/bets/pay-in", b"", body)
        sum_up(everything=True)
    log_answer(invalid("a question", 400), headers, "/v1/bets", b"betId=" + raw)

    for written in lines(caplog):
        assert written.isprintable()
        assert len(written) < 6_000


def test_a_bet_that_is_asked_about_is_found_in_the_query(caplog: pytest.LogCaptureFixture) -> None:
    log_answer(try_later("x"), (), b"/v1/sessions/s/balance?x=1", b"")
    log_answer(try_later("x"), (), "/v1/bets", b"betId=a%20b&c=d")
    log_answer(try_later("x"), (), "/v1/bets", b"a=1&" * 20)
    log_answer(try_later("x"), (), "/v1/sessions/s/bets/pay-in", b"", b'{"betId":417}')
    log_answer(ApiError(503, Code.TRY_LATER, "x"), (), "", b"", b'{"betId":["a"]}')

    assert [text.partition("provider=- ")[2] for text in lines(caplog)] == [
        "session='s' bet=-",
        "session=- bet='a b'",
        "session=- bet=-",
        "session='s' bet='417'",
        "session=- bet=-",
    ]


def test_the_secret_and_the_signature_are_in_no_line(caplog: pytest.LogCaptureFixture) -> None:
    headers = [
        (name.lower().encode(), value.encode()) for name, value in CLIENT.headers(BODY).items()
    ]

    log_answer(unauthorized("the signature is not good", "x"), headers, "/v1", b"", BODY)

    (text,) = lines(caplog)
    assert SECRET not in text
    assert dict(headers)[b"x-sign"].decode() not in text
