"""`betcore queue`: shows the state of RQ's queue, and suspends it for a while."""

import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import InvalidRequest
from ops.terminal.failures import failures, in_one_line
from ops.terminal.options import (
    AsJson,
    DataDir,
    Note,
    configuration,
    emit,
    emit_lists,
    find_settings,
)

if TYPE_CHECKING:
    from broker.registered import Registered
    from broker.rq_queue import RqQueue, State
    from settings import Settings

app = typer.Typer(
    help="RQ's queue: show its state, suspend, resume, requeue.", no_args_is_help=True
)

_WATCH_EVERY_SECONDS = 2.0
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"  # clears a terminal

JobId = Annotated[str | None, typer.Argument(help="The id of one failed job.")]
All = Annotated[bool, typer.Option("--all", help="Every failed job that can still be applied.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show it repeatedly until Ctrl-C.")]
For = Annotated[
    int | None,
    typer.Option("--for", min=1, max=10**7, help="Seconds until it resumes by itself."),
]


@app.command("info")
def info(watch: Watch = False, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the queue's jobs, its workers, and what is wrong.

    A job carries the bets that came together. Bets also wait for their player, in no job yet.
    """
    from broker.rq_queue import queue_of

    with queue_of(_settings(data_dir)) as queue:
        if not watch:
            _show(queue, queue.state(), as_json)
            return
        try:
            _watch(queue, as_json)
        except KeyboardInterrupt:
            return


@app.command("suspend")
def suspend(
    seconds: For = None,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop admitting and processing bets until `betcore queue resume`.

    Every bet is refused with code 99. This holds for every queue in this Redis.
    """
    from broker.rq_queue import queue_of

    with queue_of(_settings(data_dir)) as queue:
        _record(data_dir, note, "queue.suspended", queue, forSeconds=seconds)
        queue.suspend(seconds)
        emit({"queue": queue.name, "suspended": True, "forSeconds": seconds}, as_json)


@app.command("resume")
def resume(note: Note = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Admit and process bets again."""
    from broker.rq_queue import queue_of

    with queue_of(_settings(data_dir)) as queue:
        _record(data_dir, note, "queue.resumed", queue)
        was_suspended = queue.resume()
        emit({"queue": queue.name, "suspended": False, "wasSuspended": was_suspended}, as_json)


@app.command("requeue")
def requeue(
    job_id: JobId = None,
    every: All = False,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a failed job back on the queue.

    It runs once its player has no other bet under way. A bet is only applied within its deadline,
    some seconds after it came. After that its provider repeats it, which is safe at any time.
    """
    from broker.rq_queue import queue_of

    if (job_id is None) != every:
        raise InvalidRequest("Name one failed job, or give --all.")
    with queue_of(_settings(data_dir)) as queue:
        _record(data_dir, note, "queue.requeued", queue, job=job_id or "all that failed")
        if job_id is None:
            emit({"queue": queue.name, **queue.requeue_all()}, as_json)
        else:
            queue.requeue(job_id)
            emit({"queue": queue.name, "requeued": 1, "jobId": job_id}, as_json)


def _record(
    data_dir: Path | None,
    note: str | None,
    action: str,
    queue: "RqQueue",
    **facts: str | int | None,
) -> None:
    """Record the action before it is done. If that fails, print so and continue.

    Suspending the queue is most urgent while PostgreSQL is down.
    """
    from models.audit.log import Action, record
    from ops.database import changes_of

    try:
        with changes_of(data_dir, note) as database:
            record(database, Action(action), queue.name, **facts)
    except InvalidRequest:
        raise
    except failures() as failure:
        typer.echo(f"This is not in the audit log: {in_one_line(failure)}", err=True)


def _settings(data_dir: Path | None) -> "Settings":
    """Return settings with the URL of a Redis. No database is needed."""
    from ops.urls import readable

    configured = configuration(data_dir)
    return readable(configured if configured.redis_url else find_settings(data_dir))


def _watch(queue: "RqQueue", as_json: bool) -> None:
    from redis.exceptions import RedisError

    from ops.terminal.failures import in_one_line

    on_terminal = sys.stdout.isatty() and not as_json
    while True:
        try:
            state = queue.state()
        except RedisError as error:  # keeps watching until Redis is back
            typer.echo(f"betcore: {in_one_line(error)}", err=True)
        else:
            typer.echo(_CLEAR if on_terminal else "", nl=False)
            _show(queue, state, as_json)
            if not on_terminal and not as_json:
                typer.echo()
        sys.stdout.flush()
        time.sleep(_WATCH_EVERY_SECONDS)


def _show(queue: "RqQueue", state: "State", as_json: bool) -> None:
    fields: dict[str, object] = {
        "queue": queue.name,
        "suspended": state.suspended,
        "suspendedForSeconds": _seconds(state.suspended_for_seconds),
        "queued": state.queued,
        "waiting": state.waiting,
        "oldestSeconds": _seconds(state.oldest_seconds),
        "started": state.started,
        "finished": state.finished,
        "failed": state.failed,
        "trouble": state.trouble or None,
    }
    workers = [_row(worker) for worker in state.attendance.workers]
    if as_json:
        emit({**fields, "warnings": state.warnings, "workers": workers}, as_json)
        return
    emit_lists(fields, {"workers": workers}, as_json)
    for warning in state.warnings:
        typer.echo(f"\nwarning: {warning}")


def _row(worker: "Registered") -> dict[str, object]:
    return {
        "name": worker.name,
        "kind": "betcore" if worker.ours else "foreign",
        "state": worker.state,
        "since": worker.since,
        "seen": worker.seen,
        "host": worker.host,
        "pid": worker.pid,
        "rq": worker.version,
    }


def _seconds(seconds: float | None) -> Decimal | None:
    return None if seconds is None else Decimal(f"{seconds:.1f}")
