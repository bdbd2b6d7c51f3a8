"""The caller's address behind proxies: only trusted networks are believed."""

import pytest

from server.callers import Callers
from settings import Settings

PROXIES = "10.0.0.0/8, fd00::/8"


@pytest.mark.parametrize(
    ("client", "forwarded", "caller"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["192.0.2.1"], "203.0.113.5"),  # no trusted proxy: a lie
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),  # 6.6.6.6 was invented
        ("10.0.0.1", ["6.6.6.6", "192.0.2.1"], "192.0.2.1"),  # two headers are one list
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", ["192.0.2.1, nonsense"], "None"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        (None, ["192.0.2.1"], "None"),
        ("/a/unix/socket", ["192.0.2.1"], "None"),
    ],
)
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(
    client: str | None, forwarded: list[str], caller: str
) -> None:
    scope = {
        "client": None if client is None else (client, 4711),
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }

    assert str(Callers(PROXIES).address_of(scope)) == caller


def test_without_trusted_proxies_nobody_is_believed() -> None:
    scope = {"client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.1")]}

    assert str(Callers("").address_of(scope)) == "127.0.0.1"


@pytest.mark.parametrize("bad", ["10.0.0.1/8", "localhost", "10.0.0.0/8;fd00::/8"])
def test_a_wrong_network_is_refused_at_the_start(bad: str) -> None:
    with pytest.raises(Exception, match="should be networks"):
        Settings(trusted_proxies=bad)
