"""REDIS_URL means the same for the gateway's own connections and for redis-py's."""

import pytest
from redis.asyncio.connection import SSLConnection as AsyncSSLConnection
from redis.connection import SSLConnection

from broker.redis_url import BadRedisUrl, connect_redis, read_redis_url, tls_context
from broker.wire import patience_seconds
from ops.urls import readable
from settings import Settings

ALL = (
    "rediss://h?username=u&password=p&db=1&protocol=3&health_check_interval=5&socket_timeout=1.5"
    "&socket_connect_timeout=0.5&socket_keepalive=yes&ssl_cert_reqs=optional&ssl_min_version=771"
    "&ssl_check_hostname=no&ssl_ca_certs=a&ssl_ca_path=b&ssl_ca_data=c&ssl_certfile=d&ssl_keyfile=e"
    "&ssl_password=f&ssl_ciphers=g&ssl_include_verify_flags=VERIFY_X509_STRICT"
    "&ssl_exclude_verify_flags=VERIFY_X509_PARTIAL_CHAIN"
)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h", {"host": "h"}),
        ("redis://h:1/2", {"host": "h", "port": 1, "db": 2}),
        ("redis://[::1]:1", {"host": "::1", "port": 1}),
        (
            "redis://me%40home:p%2F%3F%23%25@h",
            {"host": "h", "username": "me@home", "password": "p/?#%"},
        ),
        ("redis://:p@h?db=3", {"host": "h", "password": "p", "db": 3}),
        ("unix://u:p@/run/x.sock?db=1", {"path": "/run/x.sock", "username": "u", "db": 1}),
        ("unix:///run/a%20b", {"path": "/run/a b"}),
        ("redis://h?socket_timeout=1.5&socket_keepalive=true", {"socket_timeout": 1.5}),
        ("rediss://h?ssl_check_hostname=False", {"ssl_check_hostname": False}),
    ],
)
def test_a_url_is_read_as_redis_py_reads_it(url: str, options: dict[str, object]) -> None:
    assert options.items() <= read_redis_url(url).items()


def test_every_option_that_is_taken_is_one_of_both_kinds_of_connection() -> None:
    options = read_redis_url(ALL)
    options.pop("connection_class")

    assert SSLConnection(**options).db == AsyncSSLConnection(**options).db == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "cannot be read; it looks like redis://user:password@host:6379/0"),
        ("http://localhost", "cannot be read; it looks like"),
        ("redis://my-password:x", "cannot be read; it looks like"),
        ("redis://h:99999", "cannot be read; it looks like"),
        ("unix://", "cannot be read; it looks like"),
        ("redis://h?db=x", "cannot be read; it looks like"),
        ("redis://:my-pass/word@h:6379", "write / as %2F"),
        ("redis://:my-pass?word=x@h:6379", "write / as %2F, ? as %3F"),
        ("redis://:my-pass#word@h:6379", "and # as %23"),
        ("redis://h/bets", "the database after the host must be a number"),
        ("redis://h?client_name=x", "option client_name, which is not supported; these are: db,"),
        ("redis://h?max_connections=1", "option max_connections, which is not supported"),
        ("redis://h?decode_responses=true", "option decode_responses, which is not supported"),
        ("redis://h?retry_on_timeout=true", "option retry_on_timeout, which is not supported"),
        ("rediss://h?ssl_validate_ocsp=true", "option ssl_validate_ocsp, which is not supported"),
        ("rediss://h?ssl_cert_req=none", "option ssl_cert_req, which is not supported"),
        ("redis://h?ssl_cert_reqs=none", "ssl_cert_reqs is for TLS, which begins with rediss://"),
        ("unix:///run/x?ssl_ca_certs=x", "ssl_ca_certs is for TLS"),
        ("redis://h?db=1&db=2", "the option db twice"),
        ("redis://h?db=", "the value of the option db cannot be used"),
        ("redis://h?db=-1", "the value of the option db cannot be used"),
        ("redis://h?socket_timeout=0", "the value of the option socket_timeout cannot be used"),
        ("redis://h?socket_timeout=nan", "the value of the option socket_timeout cannot be used"),
        ("redis://h?protocol=4", "the value of the option protocol cannot be used"),
        ("rediss://h?ssl_check_hostname=flase", "the value of the option ssl_check_hostname"),
        ("rediss://h?ssl_cert_reqs=maybe", "TLS cannot be used as it says: Invalid SSL Cert"),
        ("rediss://h?ssl_ca_certs=/none.pem", "TLS cannot be used as it says: [Errno 2] No such"),
        ("rediss://h?ssl_ca_path=/none", "ssl_ca_path is not a folder"),
        ("rediss://h?ssl_keyfile=/none.pem", "TLS cannot be used as it says"),
        ("rediss://h?ssl_ciphers=none", "TLS cannot be used as it says"),
        ("rediss://h?ssl_min_version=5", "TLS cannot be used as it says"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_in_one_line_without_the_password(
    url: str, says: str
) -> None:
    with pytest.raises(BadRedisUrl) as refused:
        tls_context(read_redis_url(url))

    line = str(refused.value)
    assert line.startswith("REDIS_URL")
    assert says in line
    assert "\n" not in line
    assert "my-pass" not in line
    with pytest.raises(BadRedisUrl):
        readable(Settings(redis_url=url or "x"))


def test_without_options_tls_verifies_certificate_and_name() -> None:
    context = tls_context(read_redis_url("rediss://h"))

    assert context
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    assert tls_context(read_redis_url("redis://h")) is None
    assert tls_context(read_redis_url("unix:///run/x")) is None


def test_the_url_s_timeout_is_obeyed_where_it_is_the_shorter() -> None:
    def patience(url: str) -> float:
        return patience_seconds(Settings(redis_url=url, redis_patience_seconds=2))

    assert patience("redis://h?socket_timeout=0.5") == 0.5
    assert patience("redis://h?socket_timeout=5") == 2
    assert patience("redis://h") == patience("") == 2


def test_what_the_url_says_goes_before_what_a_caller_says() -> None:
    url = "redis://h?socket_timeout=1"

    arguments = connect_redis(url, socket_timeout=9, db=4).connection_pool.connection_kwargs

    assert (arguments["socket_timeout"], arguments["db"]) == (1, 4)
