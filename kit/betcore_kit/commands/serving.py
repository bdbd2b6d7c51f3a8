"""`betcore-kit simulate --serve`: a provider that people play at, until Ctrl-C."""

import asyncio
import json
import shlex
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import typer

from betcore_kit.client.clients import Client
from betcore_kit.commands.sites import read_url, require_one
from betcore_kit.conformance.case import Lacking
from betcore_kit.conformance.config import read_identity
from betcore_kit.conformance.sandbox import SandboxSite
from betcore_kit.errors import KitError
from betcore_kit.serve.box import Box
from betcore_kit.serve.server import BoxServer
from betcore_kit.serve.slot import GAME
from betcore_kit.signing import Identity

_REGISTER_SECONDS = 60.0


def serve_provider(
    place: str, sandbox: bool, config: Path | None, address: str, public_url: str | None
) -> None:
    """Serve at an address until SIGINT or SIGTERM. `place` is the wallet's URL.

    In a sandbox, a provider is made, its URL is registered, and a first session is launched.
    Otherwise the file says who it is, and what the operator does is printed. Raises KitError.
    """
    require_one(sandbox, config)
    with BoxServer(*_host_and_port(address)) as server, ExitStack() as stack:
        url = server.url if public_url is None else read_url(public_url)
        if url is None:
            raise KitError("--public-url must be a URL, such as https://games.example.com/slot.")

        def open_box(identity: Identity) -> None:
            client = stack.enter_context(Client(place, identity))
            stack.enter_context(server.serving(Box(url, client, _say)))
            behind = "" if url == server.url else f", which leads to {server.url}"
            _say(f"provider {identity.counterparty_id} is served at {url}{behind}")

        if config is None:
            asyncio.run(_in_sandbox(place, url, open_box))
        else:
            identity = read_identity(config)
            open_box(identity)
            _say_what_an_operator_does(identity.counterparty_id, url)
        _say("Ctrl-C ends it.")
        _wait_for_the_end()
        _say("stopping")


async def _in_sandbox(place: str, url: str, open_box: Callable[[Identity], None]) -> None:
    """Make a provider, serve it, and launch its game for a first player."""
    async with httpx.AsyncClient(timeout=_REGISTER_SECONDS) as http:
        site = await SandboxSite.new(place, http)
        open_box(await site.identity())
        try:
            await site.act("url", url=url)
            await site.act("sync")
            opened = await site.act("open", player="ann", game=GAME)
        except Lacking as error:
            raise KitError(
                f"{error} The sandbox must reach {url}: if it runs elsewhere, give --public-url."
            ) from None
    _say(f"Play here: {opened['frameUri']}")
    body = shlex.quote(json.dumps({"player": "ben", "game": GAME}))
    bearer = shlex.quote(f"Authorization: Bearer {site.token}")
    _say("To launch it for another player, paste this, and open the frameUri of the answer:")
    kind = "'Content-Type: application/json'"
    _say(f"  curl -sS -w '\\n' -H {bearer} -H {kind} -d {body} {site.api}/sessions")


def _say_what_an_operator_does(provider: str, url: str) -> None:
    provider = shlex.quote(provider)
    _say("The operator of the wallet tells it this URL once, and asks for the games:")
    _say(f"  betcore provider set-url {provider} {url}")
    _say(f"  betcore games sync {provider}")
    _say("This launches the game for a player. Open the frameUri that it prints:")
    opening = f"--provider {provider} --player ann --currency EUR --deposit 100 --game {GAME}"
    _say(f"  betcore session open {opening}")


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65_535:
        raise KitError("--serve must be HOST:PORT, such as 127.0.0.1:9300.")
    return host, int(port)


def _wait_for_the_end() -> None:
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    ended.wait()
    for number, handler in before.items():  # a second Ctrl-C does not wait
        signal.signal(number, handler)


def _say(line: str) -> None:
    """Print a line, if anybody still reads. The players go on otherwise."""
    with suppress(OSError):
        typer.echo(line)
