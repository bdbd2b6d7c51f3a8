"""`betcore housekeeping`: what has to be done regularly, for a timer."""

from collections.abc import Iterator

import typer

from ops.terminal.options import AsJson, DataDir, configuration, emit_list, find_settings


def housekeeping(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Do what is to be done regularly.

    Run it daily by a timer, with the login of `betcore migrate`. It never blocks a bet. If another
    one is at work, it does nothing. The exit code is 1 if somebody must act.
    """
    from models.database.failures import database_failures
    from models.housekeeping import keep_house
    from ops.urls import readable

    configured = readable(configuration(data_dir))
    url = configured.database_url or find_settings(data_dir, "migrator").database_url
    troubles: list[str] = []

    def rows() -> Iterator[dict[str, object]]:
        for done in keep_house(url):
            troubles.extend(done.troubles)
            told: dict[str, object] = {"chore": done.chore, "did": done.did}
            yield told | ({"troubles": done.troubles} if as_json else {})

    with database_failures():
        emit_list({}, "chores", rows(), as_json)
    for line in troubles:
        typer.echo(line, err=True)
    if troubles:
        raise typer.Exit(1)
