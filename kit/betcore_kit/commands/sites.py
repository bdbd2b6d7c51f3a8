"""Which wallet a command is about, and where it gets its sessions."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from betcore_kit.conformance.config import read_config
from betcore_kit.conformance.sandbox import SandboxSite
from betcore_kit.conformance.site import Site
from betcore_kit.errors import KitError

MakeSite = Callable[[httpx.AsyncClient], Awaitable[Site]]


def place_of(url: str | None) -> str:
    """Return the wallet's URL without a slash at its end. Raises KitError."""
    parts = urlsplit(url or "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise KitError("Give the URL of the wallet, such as https://wallet.example.com, first.")
    return (url or "").rstrip("/")


def site_of(place: str, sandbox: bool, config: Path | None) -> MakeSite:
    """Return what makes the site: that of a sandbox, or that of a file. Raises KitError."""
    if sandbox == (config is not None):
        raise KitError("Use either --sandbox, or --config FILE.toml (see --template).")
    given = None if config is None else read_config(config)

    async def make_site(http: httpx.AsyncClient) -> Site:
        return given if given is not None else await SandboxSite.new(place, http)

    return make_site
