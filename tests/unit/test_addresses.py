"""Where a provider may be: public HTTPS, in one form, however a private address is disguised."""

import ipaddress
from typing import Any

import pytest

from models.addresses import CallPolicy, read_link, read_provider_url, why_not_called
from models.errors import InvalidRequest
from ops.terminal.options import allowed_on_trial
from settings import Settings

PUBLIC = CallPolicy()
TRIAL = CallPolicy(http=True, private=True)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("https://games.example.com", "https://games.example.com"),
        ("HTTPS://Games.Example.com:443/a/B/", "https://games.example.com/a/B"),
        ("https://games.example.com:8443/x%20y", "https://games.example.com:8443/x%20y"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
        ("https://8.8.8.8/", "https://8.8.8.8"),
        ("https://[2606:4700::1111]:8443", "https://[2606:4700::1111]:8443"),
    ],
)
def test_a_url_has_one_form(said: str, read: str) -> None:
    assert read_provider_url(said, PUBLIC) == read
    assert read_provider_url(read, PUBLIC) == read


@pytest.mark.parametrize(
    "said",
    [
        *("", " ", "games.example.com", "//games.example.com", "https:", "https://", "https:///x"),
        *("http://games.example.com", "ftp://games.example.com", "file:///etc/passwd"),
        *("javascript:alert(1)", "gopher://games.example.com", "unix:/run/x"),
        *("https://user@games.example.com", "https://a:b@games.example.com", "https://@x.example"),
        *("https://games.example.com#f", "https://games.example.com?", "https://x.example/?a=b"),
        *("https://games.example.com:", "https://games.example.com:0", "https://x.example:65536"),
        *("https://games.example.com:22", "https://x.example:25", "https://x.example:80"),
        *("https://games.example.com.", "https://127.0.0.1.", "https://localhost.", "https://a..b"),
        *("https://127.1", "https://0x7f000001", "https://0x7f.0.0.1", "https://2130706433"),
        *("https://0177.0.0.1", "https://127.0.0.01", "https://1.2.3.4.5", "https://a.0x1"),
        *(
            "https://127.0.0.1",
            "https://10.0.0.1",
            "https://[::1]",
            "https://[::]",
            "https://0.0.0.0",
        ),
        *("https://[::ffff:127.0.0.1]", "https://[::ffff:a00:1]", "https://[64:ff9b::7f00:1]"),
        *("https://[fe80::1]", "https://[fe80::1%25eth0]", "https://[v1.x]", "https://[1.2.3.4]"),
        *("https://games.example.com\\@10.0.0.1", "https://a b.example", "https://a\n.example"),
        *(
            "https://münchen.example",
            "https://\uff11\uff12\uff17.0.0.1",
            "https://a。example",
            "https://ⓐ.example",
        ),
        *("https://x.example/..", "https://x.example/%2E%2e/y", "https://x.example/./y"),
        *("https://-a.example", "https://a-.example", "https://a%2eexample", "https://a,b.example"),
        "https://x.example/" + "y" * 2100,
    ],
)
def test_what_is_no_public_https_url_is_refused_with_one_line(said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_provider_url(said, PUBLIC)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254"),
        *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1"),
        *("192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "192.88.99.1", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1"),
        *("::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "2001::1"),
        *("2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1"),
        *("fe80::1%eth0", "2606:4700::1%eth0", "ff02::1", "4000::1"),
    ],
)
def test_no_address_that_is_not_public_is_called(address: str) -> None:
    assert why_not_called(ipaddress.ip_address(address), PUBLIC)


def test_public_addresses_are_called_also_through_a_translation() -> None:
    for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "172.32.0.1", "100.128.0.1"):
        assert why_not_called(ipaddress.ip_address(address), PUBLIC) is None


def test_a_trial_reaches_this_machine_but_never_what_answers_with_a_clouds_credentials() -> None:
    allowed = "http://127.0.0.1:9000/games"
    assert read_provider_url(allowed, TRIAL) == allowed
    for address in ("127.0.0.1", "::1", "10.0.0.1", "fd00::1", "::ffff:127.0.0.1"):
        assert why_not_called(ipaddress.ip_address(address), TRIAL) is None
    for address in ("169.254.169.254", "0.0.0.0", "::", "fe80::1", "::ffff:169.254.169.254"):
        assert why_not_called(ipaddress.ip_address(address), TRIAL)


@pytest.mark.parametrize(
    "uri",
    [
        *(None, 7, True, [], {}, "", "javascript:alert(1)", "data:text/html,x", "/game", "//x/y"),
        *("http://games.example.com", "https://", "https://u@x.example", "https://x.example/ä"),
        *("https://x.example/a b", "https://x.example/\n", "https://x.example/" + "a" * 2100),
    ],
)
def test_a_frame_is_a_https_url_and_nothing_else(uri: object) -> None:
    with pytest.raises(InvalidRequest):
        read_link(uri, "frameUri", PUBLIC)

    good = "https://play.example.com:8443/?token=a%20b&x=[1]#f"
    assert read_link(good, "frameUri", PUBLIC) == good


@pytest.mark.parametrize(
    ("given", "is_private_called"),
    [
        ({}, True),
        ({"sandbox": True}, True),
        ({"sandbox": True, "portal_host": "localhost"}, True),
        ({"sandbox": True, "portal_host": "::1"}, True),
        ({"sandbox": True, "portal_host": "0.0.0.0"}, False),
        ({"sandbox": True, "portal_host": ""}, False),
        ({"sandbox": True, "portal_host": "sandbox.example.com"}, False),
        ({"sandbox": True, "sandbox_url": "https://sandbox.example.com"}, False),
        ({"portal_host": "0.0.0.0"}, True),  # only operators name URLs there
    ],
)
def test_strangers_of_a_sandbox_reach_no_private_address_by_the_url_that_they_name(
    given: dict[str, Any], is_private_called: bool
) -> None:
    allowed = allowed_on_trial(Settings(**given))

    assert allowed.get("outbound_private_addresses_allowed", False) is is_private_called
    assert allowed["outbound_http_allowed"]
