"""What every command shares: its common options, where its servers are, how it prints."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import BetcoreError
from ops.embedded import EmbeddedError, running
from settings import Settings, settings

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        help="Where the embedded servers keep their data, when DATABASE_URL is not set.",
        envvar="BETCORE_DATA_DIR",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

DEFAULT_DATA_DIR = Path(".betcore")


class NoServers(BetcoreError):  # noqa: N818
    """Neither DATABASE_URL and REDIS_URL are set, nor do embedded servers run on the folder."""


def find_settings(data_dir: Path) -> Settings:
    """The settings of this process, with the URLs of the embedded servers where none are set.

    Raises NoServers when there is nothing to talk to.
    """
    configured = settings()
    if configured.database_url and configured.redis_url:
        return configured
    try:
        urls = running(data_dir)
    except (EmbeddedError, OSError) as error:
        raise NoServers(f"{data_dir}: {error}") from error
    if urls is None:
        raise NoServers(
            f"No servers: set DATABASE_URL and REDIS_URL, or start `betcore up` on {data_dir} "
            "(another folder: --data-dir)."
        )
    return configured.model_copy(
        update={
            "database_url": configured.database_url or urls.database,
            "redis_url": configured.redis_url or urls.redis,
        }
    )


def emit(result: Mapping[str, Any], as_json: bool) -> None:
    """Print one result on stdout: a JSON document on one line, or a `name: value` line a field."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        width = max((len(name) for name in result), default=0)
        for name, value in result.items():
            typer.echo(f"{name:<{width}}  {'' if value is None else value}")
