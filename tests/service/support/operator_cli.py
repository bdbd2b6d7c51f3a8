"""The command line as an operator uses it: `betcore` on an installation, in this process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from typer.testing import CliRunner, Result

from models.commands import PayInOut
from models.database.engine import engine
from models.errors import BetcoreError
from ops.cli import app
from ops.logins import login_url
from settings import Settings, settings
from tests.service.support import keys
from tests.service.support.world import World, new_world

EUR = ("--currency", "EUR")


@dataclass(frozen=True)
class Operator:
    """Runs commands on an installation; `provider` is the `counterpartyId` of a provider there."""

    world: World
    provider: str

    @property
    def database_url(self) -> str:
        """The operator's."""
        return login_url(self.world.urls.database, "operator")

    def run(self, *arguments: str, **env: str) -> Result:
        """Run one command of `betcore`."""
        settings.cache_clear()
        urls = self.world.urls
        login = "migrator" if arguments[0] in ("migrate", "housekeeping") else "operator"
        servers = {"DATABASE_URL": login_url(urls.database, login), "REDIS_URL": urls.redis}
        servers |= keys.ENVIRONMENT
        # Some test has signed entries of the audit log with it.
        servers["BETCORE_OPERATOR_KEYS_OLD"] = keys.OTHER_OPERATOR
        try:
            return CliRunner(env=servers | env).invoke(app, arguments)
        finally:
            settings.cache_clear()

    def documents(self, *arguments: str) -> list[dict[str, Any]]:
        """The JSON documents, one a line, of a command that succeeds; numbers are exact."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.exception or done.stderr
        return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]

    def refusal(self, *arguments: str, **env: str) -> str:
        """Why a command fails; it prints no result."""
        done = self.run(*arguments, **env)
        assert done.exit_code == 1
        assert isinstance(done.exception, BetcoreError), repr(done.exception)
        assert done.stdout == ""
        return str(done.exception)

    def open(self, player: str, *more: str) -> list[str]:
        """The arguments that open a session in euros, unless `more` says otherwise."""
        where = ["--provider", self.provider, "--player", player]
        return ["session", "open", *where, *([] if "--currency" in more else EUR), *more]

    def settings(self, **changed: object) -> Settings:
        """The settings that the commands have, some changed."""
        urls = self.world.urls
        values = {"database_url": self.database_url, "redis_url": urls.redis}
        own_keys = {purpose.setting: key for purpose, key in keys.HEX.items()}
        return Settings().model_copy(update=values | own_keys | changed)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.world.rows(f"select count(*) from {table}")[0][0])  # noqa: S608

    def bet(self, opened: dict[str, Any], bet_id: str, stake: str = "1", win: str = "0") -> int:
        """Apply a PayInOut to the ledger, as a worker does; its code."""
        (row,) = self.world.rows(
            "select provider_id, account_id from session where id = %s", opened["sessionId"]
        )
        command = PayInOut(
            provider_id=row[0],
            session_id=opened["sessionId"],
            account_id=row[1],
            bet_id=bet_id,
            round_id="round",
            stake=Decimal(stake),
            win=Decimal(win),
            odd=None,
        )
        outcome = self.world.ledger.apply([command], lambda _: True, 5)[0]
        assert outcome is not None
        return outcome.code


@contextmanager
def operator_on(world: World) -> Iterator[Operator]:
    """An operator with a provider."""
    (added,) = Operator(world, "").documents("provider", "add", "Acme")
    try:
        yield Operator(world, added["counterpartyId"])
    finally:
        engine(login_url(world.urls.database, "operator")).dispose()


@contextmanager
def operator_with_worker() -> Iterator[Operator]:
    """An operator with a provider, on servers of its own, where a worker works."""
    with new_world() as world:
        world.worker()
        with operator_on(world) as operator:
            yield operator
