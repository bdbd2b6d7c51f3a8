"""`explain` names the mistake that was made, and only a mistake that makes the very signature."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from betcore_kit.errors import KitError
from betcore_kit.explain.diagnosis import Diagnosis, diagnose, difference
from betcore_kit.explain.raw import read_request
from betcore_kit.explain.words import SENTENCES

ID, NONCE = "933a215f-a9e6-4f88-9d91-52a87cd50499", "5a0679b6e5fa48f6892c777b0fa92392"
NOW = 1719766120806
SECRET = base64.b64encode(b"example-secret-not-real").decode()
BODY = b'{"betId":"4178696881","betAmount":10.50,"winAmount":"55.25","gameRoundId":"r/1"}'
LINE = "POST /v1/sessions/s/bets/pay-in-out HTTP/1.1"
Change = Callable[[list[bytes]], bytes]


def hexed(key: bytes, message: bytes) -> str:
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def raw(
    message: bytes | None = None,
    *,
    key: bytes = SECRET.encode(),
    body: bytes = BODY,
    write: Callable[[str], str] = str,
    stamp: str = str(NOW),
    nonce: str = NONCE,
    name: str = ID,
    without: str = "",
) -> bytes:
    """A request whose signature is of this message; None: of the right one."""
    right = b".".join([*([body] if body else []), name.encode(), stamp.encode(), nonce.encode()])
    sign = write(hexed(key, right if message is None else message))
    headers = {"X-Counterparty-Id": name, "x-timestamp": stamp, "X-REQUEST-ID": nonce}
    lines = [f"{key}: {value}" for key, value in (headers | {"X-Sign": sign}).items()]
    head = [
        LINE,
        "Host: a",
        *(line for line in lines if not line.lower().startswith(without or "?")),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def found(request: bytes, *more_secrets: str, now: int = NOW, **options: object) -> Diagnosis:
    secrets = [SECRET, *more_secrets]
    return diagnose(read_request(request), secrets, now, **options)  # type: ignore[arg-type]


def joined(*parts: bytes, by: bytes = b".") -> bytes:
    return by.join(parts)


STAMP = str(NOW).encode()
REST = (ID.encode(), STAMP, NONCE.encode())
REWRITTEN = json.dumps(json.loads(BODY)).encode()
DECODED = base64.b64decode(SECRET)


def base64_of(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


#: What was sent, and the mistakes that it has.
MISTAKES: list[tuple[bytes, tuple[str, ...]]] = [
    (raw(), ()),
    (raw(body=b""), ()),
    (raw(without="x-sign"), ("missing_header",)),
    (raw(without="x-timestamp"), ("missing_header",)),
    (raw(stamp="soon"), ("timestamp_form",)),
    (raw(stamp=f"{NOW / 1000:.3f}"), ("timestamp_form",)),
    (raw(stamp=str(NOW // 1000)), ("timestamp_seconds",)),
    (raw(stamp=str(NOW * 1000)), ("timestamp_microseconds",)),
    (raw(stamp=str(NOW - 31_000)), ("timestamp_expired",)),
    (raw(stamp=str(NOW + 31_000)), ("timestamp_future",)),
    (raw(stamp=str(NOW - 29_000)), ()),
    (raw(nonce="5a0679b6-e5fa-48f6-892c-777b0fa92392"), ("nonce_form",)),
    (raw(nonce=NONCE.upper()), ()),
    (raw(write=str.upper), ("upper_case",)),
    (raw(write=base64_of), ("base64_signature",)),
    (raw(write=lambda text: base64.b64encode(text.encode()).decode()), ("base64_signature",)),
    (raw(key=DECODED), ("decoded_secret",)),
    (raw(key=f"{SECRET}\n".encode()), ("other_secret",)),
    (raw(joined(REWRITTEN, *REST)), ("body_reserialised",)),
    (raw(joined(BODY.replace(b"10.50", b"10.5"), *REST)), ("body_reserialised",)),
    (raw(joined(BODY.replace(b"/", b"\\/"), *REST)), ("body_reserialised",)),
    (
        raw(joined(json.dumps(json.loads(BODY), sort_keys=True).encode(), *REST)),
        ("body_reserialised",),
    ),
    (raw(joined(*REST)), ("body_left_out",)),
    (raw(BODY + joined(*REST)), ("missing_dot",)),
    (raw(joined(BODY, *REST, by=b"")), ("missing_dot",)),
    (raw(b"." + joined(*REST), body=b""), ("extra_dot",)),
    (raw(joined(*REST, BODY)), ("wrong_order",)),
    (raw(joined(BODY, STAMP, ID.encode(), NONCE.encode())), ("wrong_order",)),
    (raw(joined(BODY, *REST) + b"\n"), ("trailing_newline",)),
    (raw(joined(BODY + b"\n", *REST)), ("trailing_newline",)),
    (raw(joined(BODY, *REST), body=BODY + b"\n"), ("trailing_newline",)),
    (raw(b"something else"), ("unknown",)),
]
#: Two mistakes together.
PAIRS: list[tuple[bytes, set[str]]] = [
    (raw(key=DECODED, write=base64_of), {"decoded_secret", "base64_signature"}),
    (raw(joined(REWRITTEN, *REST), write=str.upper), {"body_reserialised", "upper_case"}),
    (raw(joined(REWRITTEN, *REST), key=DECODED), {"body_reserialised", "decoded_secret"}),
    (raw(joined(*REST, BODY, by=b"")), {"wrong_order", "missing_dot"}),
    (raw(joined(*REST) + b"\n"), {"body_left_out", "trailing_newline"}),
    (raw(write=str.upper, stamp=str(NOW // 1000)), {"upper_case", "timestamp_seconds"}),
    (raw(b"else", nonce=NONCE[1:]), {"nonce_form", "unknown"}),
]


@pytest.mark.parametrize(("request_", "words"), MISTAKES)
def test_each_mistake_is_named(request_: bytes, words: tuple[str, ...]) -> None:
    assert found(request_).words == words


@pytest.mark.parametrize(("request_", "words"), PAIRS)
def test_two_mistakes_together_are_both_named(request_: bytes, words: set[str]) -> None:
    assert set(found(request_).words) == words


def test_three_mistakes_in_a_signature_are_unknown() -> None:
    request = raw(joined(REWRITTEN, *REST), key=DECODED, write=str.upper)

    assert found(request).words == ("unknown",)


def test_a_secret_that_was_mixed_up_is_named_if_it_is_given() -> None:
    request = raw(key=b"of-staging")

    assert found(request).words == ("unknown",)
    assert found(request, "of-staging").words == ("other_secret",)


def test_another_providers_id_is_named_if_the_secrets_own_is_given() -> None:
    request = raw(name="7")

    assert found(request).words == ()
    assert found(request, counterparty_id=ID).words == ("unknown_provider",)


def test_a_nonce_is_used_if_an_earlier_request_has_it_with_another_signature() -> None:
    earlier = [read_request(raw(body=b"{}", nonce=NONCE.upper()))]

    assert found(raw(), earlier=earlier).words == ("nonce_used",)
    assert found(raw(), earlier=[read_request(raw())]).words == ()


def test_an_old_timestamp_is_blamed_only_if_nothing_else_is_wrong_or_the_arrival_is_known() -> None:
    old = raw(stamp=str(NOW - 99_000), write=str.upper)

    assert found(old).words == ("upper_case",)
    assert found(old, arrived_then=True).words == ("timestamp_expired", "upper_case")


def test_every_word_has_a_test_and_a_sentence() -> None:
    tested = {word for _, words in MISTAKES for word in words}

    assert set(SENTENCES) == tested | {"unknown_provider", "nonce_used", "other_secret"}
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_what_was_signed_is_told_and_where_it_differs_first() -> None:
    told = found(raw(joined(REWRITTEN, *REST)))

    assert told.message == joined(BODY, *REST)
    assert told.signed == joined(REWRITTEN, *REST)
    assert told.signature == hexed(SECRET.encode(), joined(BODY, *REST))
    assert difference(told.message, told.signed).startswith("They differ first at byte 9: ")
    assert difference(b"ab", b"abc").startswith("They differ first at byte 2: ")
    assert difference(b"a", b"a") == ""


def test_a_request_of_an_editor_is_read_like_one_of_the_wire() -> None:
    edited = raw().replace(b"\r\n", b"\n")

    assert read_request(edited) == read_request(raw())
    assert read_request(b"\r\n" + raw()).body == BODY


def test_a_body_ends_where_its_length_says() -> None:
    head, _, body = raw().partition(b"\r\n\r\n")
    announced = head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body + b"\n"

    assert read_request(announced).body == BODY


@pytest.mark.parametrize("text", [b"", b"{}", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n"])
def test_what_is_no_request_is_an_error_in_one_line(text: bytes) -> None:
    with pytest.raises(KitError) as error:
        read_request(text)

    assert "\n" not in str(error.value)
