"""`betcore ledger`: whether every rule about recorded money holds, and the past is as it was."""

from pathlib import Path
from typing import Annotated

import typer

from models.adopt import adopt as adopt_transfers
from models.keys import KeyRing, Purpose, find_ring, require_ring
from models.seal import Seal, make_seal, read_seal, write_seal
from models.verify import Report
from models.verify import verify as verify_ledger
from ops.database import database_failures
from ops.documents import exact_json
from ops.keys import require_keys, with_keys
from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, emit, find_settings
from ops.progress import Progress
from settings import Settings

app = typer.Typer(help="The ledger: every transfer of money.", no_args_is_help=True)

_PROBLEMS_MAX = 100
_KEYS = (Purpose.JOURNAL, Purpose.OPERATOR)

SealFile = Annotated[
    Path | None, typer.Option("--seal", help="Also compare with a seal of `betcore ledger seal`.")
]
Out = Annotated[Path | None, typer.Option(help="Write the seal to this file, not to stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be added.")]


@app.command("verify")
def verify(
    seal: SealFile = None, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Check every account, transfer and bet as of one moment; exit with 1 when any is wrong.

    With the journal's key, also that no transfer was edited, deleted or inserted.
    """
    settings = with_keys(find_settings(data_dir), data_dir, *_KEYS)
    keys = find_ring(settings, Purpose.JOURNAL)
    sealed = None if seal is None else _sealed(seal, require_ring(settings, Purpose.JOURNAL))
    with database_failures():
        report = verify_ledger(settings.database_url, _PROBLEMS_MAX, keys, sealed, Progress())
    counts = {"transfers": report.transfers, "accounts": report.accounts}
    if as_json:
        found = {"ok": report.ok} | counts | {"journal": _journal(report)}
        typer.echo(exact_json(found | {"problems": report.problems, "more": report.more}))
    else:
        emit({"ok": "yes" if report.ok else "no"} | counts | _journal_for_people(report), as_json)
        for problem in report.problems:
            typer.echo(f"  {problem}")
        if report.more:
            typer.echo(f"  … and {report.more} more.")
    if not report.ok:
        raise typer.Exit(1)


@app.command("seal")
def seal(out: Out = None, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Print the end of every strand of the journal, to be kept elsewhere.

    Whatever is cut off later, `betcore ledger verify --seal` finds missing.
    """
    settings, keys = _with_keys(data_dir)
    with database_failures():
        document = write_seal(make_seal(settings.database_url, keys), keys.current)
    if out is None:
        typer.echo(document, nl=False)
    else:
        out.write_text(document)


@app.command("adopt")
def adopt(
    dry_run: DryRun = False, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Add to the journal what is in no row of it, vouching for it as it is now.

    For transfers that are older than the journal, or that workers of an older version wrote.
    """
    settings, keys = _with_keys(data_dir)
    with database_failures():
        added = adopt_transfers(settings.database_url, keys.current, only_count=dry_run)
    result: dict[str, object] = {"adopted": not dry_run, "transfers": added.transfers}
    for name, id_ in (("first", added.first), ("last", added.last)):
        result[name] = None if id_ is None else str(id_)
    emit(result, as_json)


def _with_keys(data_dir: Path) -> tuple[Settings, KeyRing]:
    settings = require_keys(find_settings(data_dir), data_dir, Purpose.JOURNAL)
    return settings, require_ring(settings, Purpose.JOURNAL)


def _sealed(file: Path, keys: KeyRing) -> Seal:
    return read_seal(file.read_bytes().decode(errors="replace"), keys)


def _journal(report: Report) -> dict[str, object]:
    """What was verified of the journal, for programs."""
    found = report.journal
    if found is None:
        return {"verified": False}
    counts = {"rows": found.rows, "strands": found.strands, "beforeJournal": found.before}
    return {"verified": True} | counts | {"sealedStrands": found.sealed}


def _journal_for_people(report: Report) -> dict[str, object]:
    found = report.journal
    if found is None:
        return {"journal": "NOT VERIFIED: no key (BETCORE_JOURNAL_KEY)"}
    said = f"verified: {found.rows} rows in {found.strands} strands"
    if found.sealed is not None:
        said += f", {found.sealed} of them sealed"
    if found.before:
        said += f"; {found.before} transfers are older than it, so that nothing vouches for them"
    return {"journal": said}
