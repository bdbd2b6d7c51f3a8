"""HTTP without TLS, as our processes speak it behind a proxy."""

import ssl
from typing import Any

import httpx

from tests.service.support.patience import SOON

#: It trusts nobody and is never used. Without it, each client would read all certificates of this
#: machine, which takes longer than a bet: 30 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def http_client(timeout: float = SOON, **options: Any) -> httpx.Client:
    """A client. `options` are those of `httpx.Client`."""
    return httpx.Client(timeout=timeout, verify=NO_TLS, **options)


def http_get(url: str, **options: Any) -> httpx.Response:
    """Ask for `url` on a connection of its own. `options` are those of `httpx.get`."""
    return httpx.get(url, verify=NO_TLS, **options)
