"""What it takes to verify a ledger of millions of bets, and to reconcile it with a list of them.

`python -m bench.large_ledger`: on durable servers of its own, filled as bench/growth.py does it,
with the commands that an operator runs. Ten million bets need 20 GB of disk, which are given back.
"""

import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import psutil
import typer

from bench.contender import KEYS
from bench.growth import fill
from bench.measure import postmaster
from bench.people import ACCOUNTS, make_people
from bench.servers import bench_servers, connected
from embedded import Urls

_LOOK_EVERY_SECONDS = 0.1
_MIB = 2**20
_LIST = """
    copy (select bet_id as "betId", trim_scale(stake) as stake, trim_scale(win) as win, state
          from bet) to stdout with (format csv, header)
"""

_command = typer.Typer(add_completion=False)


class Took(NamedTuple):
    """What one command took: wall time, and the most memory of its own and of PostgreSQL's."""

    command: str
    seconds: float
    mib: float
    postgres_mib: float  # of all its processes, without what they share


@_command.command()
def main(bets: Annotated[int, typer.Option(min=1)] = 10_000_000) -> None:
    """Fill, adopt, seal, verify and reconcile, and say what each command took."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with bench_servers() as urls:
        for took in measure(urls, bets, ACCOUNTS):
            typer.echo(
                f"{took.command:<14}  {took.seconds:7.1f} s  {took.mib:5.0f} MiB"
                f"  PostgreSQL {took.postgres_mib:5.0f} MiB"
            )


def measure(urls: Urls, bets: int, accounts: int) -> list[Took]:
    """Measure on servers that are migrated and empty. Raises CalledProcessError when one fails."""
    people = make_people(urls.database, accounts)
    fill(urls.database, bets, accounts)
    with tempfile.TemporaryDirectory(prefix="betcore-bench-", dir="/var/tmp") as folder:
        seal, listed = f"{folder}/seal.json", f"{folder}/bets.csv"
        _write_list(urls.database, Path(listed))
        commands = {
            "adopt": ("ledger", "adopt"),
            "seal": ("ledger", "seal", "--out", seal),
            "verify --seal": ("ledger", "verify", "--seal", seal),
            "reconcile": ("reconcile", "--provider", people.counterparty_id, "--file", listed),
        }
        return [_run(urls, name, command) for name, command in commands.items()]


def _write_list(database_url: str, file: Path) -> None:
    """Write a provider's own list, which says the same as the ledger."""
    with (
        connected(database_url) as connection,
        connection.cursor() as cursor,
        file.open("wb") as out,
        cursor.copy(_LIST) as copied,
    ):
        for part in copied:
            out.write(part)


def _run(urls: Urls, name: str, command: tuple[str, ...]) -> Took:
    """Run a command of ours to its end; how far it is goes to our stderr."""
    ours = {"DATABASE_URL": urls.database, "REDIS_URL": urls.redis}
    server, own, postgres, began = postmaster(urls.database), 0, 0, time.monotonic()
    running = psutil.Popen(
        [sys.executable, "-m", "ops.cli", *command],
        env=os.environ | ours | KEYS,
        stdout=subprocess.DEVNULL,
    )
    # Looked at meanwhile: what the system tells at the end counts what we had as it was forked.
    while running.poll() is None:
        own = max(own, running.memory_info().rss)
        postgres = max(postgres, _private_bytes(server))
        time.sleep(_LOOK_EVERY_SECONDS)
    seconds = time.monotonic() - began
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return Took(name, seconds, own / _MIB, postgres / _MIB)


def _private_bytes(server: psutil.Process) -> int:
    """What all its children take that they do not share."""
    taken = 0
    for process in server.children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            memory = process.memory_info()
            taken += memory.rss - memory.shared
    return taken


if __name__ == "__main__":
    _command()
