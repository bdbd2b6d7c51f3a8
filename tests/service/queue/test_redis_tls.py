"""A Redis behind TLS: what REDIS_URL says about certificates holds for gateway and worker alike."""

import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from redis.exceptions import RedisError

from broker.redis_url import connect_redis
from broker.wire import connect
from embedded import Urls, temporary_servers
from tests.service.queue.tls_front import Certificates, TlsFront
from tests.service.support.embedded_world import socket_of
from tests.service.support.patience import SOON
from tests.service.support.world import World

Options = Callable[[Certificates], str]


@dataclass
class Fronts:
    """A Redis behind three fronts, by what they are; and what certifies them."""

    certificates: Certificates
    ports: dict[str, int]
    urls: Urls

    def url(self, front: str, options: Options) -> str:
        """REDIS_URL with these options."""
        given = options(self.certificates)
        return f"rediss://localhost:{self.ports[front]}/0{'?' if given else ''}{given}"


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    """One server for all: nothing is kept in it."""
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    old = certificates.server()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    contexts = {
        "right": certificates.server(),
        "of another name": certificates.server("elsewhere.example.com"),
        "asking for the client": certificates.server(asks_client=True),
        "of an old version": old,
    }
    with ExitStack() as stack:
        urls = stack.enter_context(temporary_servers())
        ports = {
            name: stack.enter_context(TlsFront(socket_of(urls.redis), context)).port
            for name, context in contexts.items()
        }
        yield Fronts(certificates, ports, urls)


def nothing(_: Certificates) -> str:
    return ""


def authority(c: Certificates) -> str:
    return f"ssl_ca_certs={c.authority}"


def authority_folder(c: Certificates) -> str:
    return f"ssl_ca_path={c.folder_of_authorities()}"


def unverified(_: Certificates) -> str:
    return "ssl_cert_reqs=none"


def any_name(c: Certificates) -> str:
    return f"{authority(c)}&ssl_check_hostname=false"


def with_client(c: Certificates) -> str:
    return f"{authority(c)}&ssl_certfile={c.client}&ssl_keyfile={c.client_key}"


def new_version(c: Certificates) -> str:
    return f"{authority(c)}&ssl_min_version={int(ssl.TLSVersion.TLSv1_3)}"


with_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the folder")


@pytest.mark.parametrize(
    ("front", "options", "is_good"),
    [
        ("right", nothing, False),
        ("right", authority, True),
        pytest.param("right", authority_folder, True, marks=with_openssl),
        ("right", unverified, True),
        ("right", new_version, True),
        ("of another name", authority, False),
        ("of another name", any_name, True),
        ("of another name", unverified, True),
        ("asking for the client", authority, False),
        ("asking for the client", with_client, True),
        ("of an old version", authority, True),
        ("of an old version", new_version, False),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_the_gateway_s_connection_and_redis_py_s_trust_the_same_servers(
    fronts: Fronts, front: str, options: Options, is_good: bool
) -> None:
    url = fronts.url(front, options)

    assert await pings_gateway(url) == is_good
    assert pings_redis_py(url) == is_good


async def pings_gateway(url: str) -> bool:
    """Whether the gateway's own connection can be used."""
    try:
        wire = await connect(url, SOON)
        try:
            return bool(await wire.call("PING") == b"PONG")
        finally:
            wire.abort()
    except (OSError, RedisError):
        return False


def pings_redis_py(url: str) -> bool:
    """Whether redis-py, which the worker uses, can."""
    try:
        with connect_redis(url, retry=None) as redis:
            return bool(redis.ping())
    except (OSError, RedisError):
        return False


def test_a_bet_goes_its_way_through_a_redis_behind_tls(fronts: Fronts) -> None:
    tls = Urls(fronts.urls.database, fronts.url("asking for the client", with_client))
    world = World(tls)
    try:
        world.gateway()
        world.worker()
        player = world.open_session(world.provider())

        assert player.pay_in_out(10, 5, betId="a").code == 1
    finally:
        world.close()
