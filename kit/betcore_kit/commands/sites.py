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
    found = read_url(url or "")
    if found is None:
        raise KitError("Give the URL of the wallet, such as https://wallet.example.com, first.")
    return found


def read_url(url: str) -> str | None:
    """Return an HTTP URL without a slash at its end. None: it is no such URL."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return url.rstrip("/") if is_url and not parts.query and not parts.fragment else None


def require_one(sandbox: bool, config: Path | None) -> None:
    """Raise KitError unless there is either a sandbox or a file."""
    if sandbox == (config is not None):
        raise KitError("Use either --sandbox, or --config FILE.toml (see --template).")


def site_of(place: str, sandbox: bool, config: Path | None) -> MakeSite:
    """Return what makes the site: that of a sandbox, or that of a file. Raises KitError."""
    require_one(sandbox, config)
    given = None if config is None else read_config(config)

    async def make_site(http: httpx.AsyncClient) -> Site:
        return given if given is not None else await SandboxSite.new(place, http)

    return make_site
