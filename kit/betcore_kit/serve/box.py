"""What the provider in a box answers to each request, without sockets."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from urllib.parse import unquote

from betcore_kit.client.clients import Client
from betcore_kit.errors import KitError, printable
from betcore_kit.exact import read_json
from betcore_kit.serve.slot import GAME, MOST, NAME
from betcore_kit.serve.tables import BadSpin, Launch, Table, Tables
from betcore_kit.verifying import Verifier

Headers = Sequence[tuple[str, str]]

_KINDS = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "slot.svg": "image/svg+xml",
}
_FILES = {name: (files(__package__) / "static" / name).read_bytes() for name in _KINDS}
_HOME = b"This is a simulated game provider. Open a session for its game, and play at its frameUri."
_GONE = b"This game is not open any more. Open it again from the casino."


@dataclass(frozen=True)
class Answer:
    """An answer that is not sent yet."""

    status: int
    body: bytes
    kind: str = "application/json"


class Box:
    """A provider with one game. Several threads may ask it at the same time.

    `url` is where browsers and the aggregator reach it. `say` is told what happens, in lines.
    """

    def __init__(self, url: str, client: Client, say: Callable[[str], object] = print) -> None:
        self.url = url
        self.tables = Tables(client, say)
        self._verifier = Verifier(client.identity)
        self.say = say

    def answer(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        """Return the answer to one request, of whatever kind it is."""
        path = target.partition("?")[0]
        match method, *path.split("/")[1:]:
            case "GET", "":
                return Answer(200, _HOME, "text/plain; charset=utf-8")
            case "GET", "static", name if name in _FILES:
                return Answer(200, _FILES[name], _KINDS[name])
            case "GET", "play", token:
                return self._page(token)
            case ("GET", "play", token, "state") | ("POST", "play", token, "spin"):
                table = self.tables.find(token)
                return (
                    refusal(404, _GONE.decode()) if table is None else _play(table, headers, body)
                )
            case ("GET", "v1", "games") | ("POST", "v1", "games", _, "launch"):
                if why := self._verifier.why_not(headers, body):
                    self.say(f"401 for {method} {printable(path)}: {why}")
                    return refusal(401, "The request could not be authenticated.")
                return self._games() if method == "GET" else self._launch(path, body)
            case _:
                return refusal(404, "There is nothing here.")

    def _games(self) -> Answer:
        self.say("the list of games was asked for")
        picture = f"{self.url}/static/slot.svg"
        game = {"gameId": GAME, "name": NAME, "gameCategory": "slots", "maxOdd": MOST}
        return _json(200, [game | {"lobbyImgUrl": picture}])

    def _launch(self, path: str, body: bytes) -> Answer:
        if unquote(path.split("/")[3]) != GAME:
            return refusal(404, f"There is no such game. The only one is {GAME}.")
        try:
            launch = Launch.read(read_json(body))
        except (ValueError, KitError) as error:
            return refusal(400, f"The launch cannot be read: {error}")
        token = self.tables.open(launch)
        self.say(f"launch: {printable(launch.user_id)} plays in session {launch.session_id!r}")
        return _json(200, {"frameUri": f"{self.url}/play/{token}"})

    def _page(self, token: str) -> Answer:
        if self.tables.find(token) is None:
            return Answer(404, _GONE, "text/plain; charset=utf-8")
        return Answer(200, _FILES["page.html"], _KINDS["page.html"])


def _play(table: Table, headers: Headers, body: bytes) -> Answer:
    """Answer the page: the state, or a spin if it sends a body."""
    if not body:
        return _json(200, table.state())
    kinds = [value for name, value in headers if name.lower() == "content-type"]
    if kinds != ["application/json"]:  # a form of another site can send only other kinds
        return refusal(415, "The Content-Type must be application/json.")
    try:
        asked = json.loads(body)
        return _json(200, table.spin(asked["spin"], asked["stake"]))
    except BadSpin as error:
        return refusal(409, str(error))
    except (ValueError, KeyError, TypeError, RecursionError):
        return refusal(400, "The body must be an object with spin and stake.")


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode())


def refusal(status: int, why: str) -> Answer:
    """Return an answer that says why not, as providers say it."""
    return _json(status, {"error": why or HTTPStatus(status).phrase})
