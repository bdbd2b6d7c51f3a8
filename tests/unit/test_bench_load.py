"""The load generator: when requests leave, what counts as an answer, and from when it counts."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from bench.load import GOOD, TRY_LATER, UNANSWERED, UNREADABLE, Generator, evenly

BODY = '{"balance":1,"_responseCode":1}'
LATER = '{"_responseCode":99}'


def answer(body: str = BODY, status: int = 200) -> bytes:
    """An answer as a server sends it."""
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@contextmanager
def server(answers: Sequence[bytes]) -> Iterator[str]:
    """The URL of a server with these answers, in order; b"" closes the connection."""
    given = iter(answers)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while connection.recv(1000) and (found := next(given)):
                    connection.sendall(found)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_answer_counts_by_its_code_and_code_1_only_with_a_balance_and_status_200() -> None:
    answers = [
        *(answer(), answer(LATER, 503), answer("{}"), answer(status=402)),
        answer('{"_responseCode":1}'),
    ]
    with server(answers) as url:
        sent = Generator(url, [b"x"] * 5, 1).run()

    assert list(sent.kinds) == [GOOD, TRY_LATER, UNREADABLE, UNREADABLE, UNREADABLE]
    assert sent.connections == 1


def test_a_lost_connection_costs_the_request_on_it_and_no_other() -> None:
    with server([answer(), b"", answer()]) as url:
        sent = Generator(url, [b"x"] * 3, 1).run()

    assert list(sent.kinds) == [GOOD, UNANSWERED, GOOD]
    assert sent.connections == 2


def test_an_open_loop_counts_from_when_a_request_was_due_however_late_it_leaves() -> None:
    with server([answer()] * 10) as url:
        sent = Generator(url, [b"x"] * 10, 1, due=[0.0] * 10).run()

    assert sent.good == 10
    for number in range(1, 10):  # one connection: each waits for the answer before it
        assert sent.took[number] > sent.left[number] > sent.took[number - 1]
    assert sent.summary().late_ms == pytest.approx(sent.left[9] * 1000)


def test_no_request_of_an_open_loop_leaves_before_it_is_due() -> None:
    with server([answer()] * 20) as url:
        sent = Generator(url, [b"x"] * 20, 4, due=evenly(200, 0.1)).run()

    assert sent.good == 20
    assert min(sent.left) >= 0


def test_a_closed_loop_ends_with_its_time_and_forgets_what_it_did_not_send() -> None:
    with server([answer()] * 100_000) as url:
        sent = Generator(url, [b"x"] * 100_000, 2, seconds=0.05).run()

    assert 0 < sent.good == len(sent.kinds) < 100_000
    assert max(sent.due) < 0.05
    assert sent.summary().late_ms == 0


def test_nobody_listens_and_nothing_is_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    sent = Generator(f"http://127.0.0.1:{port}", [b"x"] * 3, 2).run()

    assert set(sent.kinds) == {UNANSWERED}
    assert min(sent.took) >= 0
    with pytest.raises(Exception, match="unanswered"):
        sent.summary()
