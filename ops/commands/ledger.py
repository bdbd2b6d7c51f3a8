"""`betcore ledger`: verifies that recorded money follows every rule and that nobody changed it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.exact_json import exact_json
from models.keys import KeyRing, Purpose, find_ring, require_ring
from ops.terminal.options import AsJson, DataDir, Note, emit, find_settings
from ops.terminal.progress import Progress

if TYPE_CHECKING:
    from models.audit.seal import Seal
    from models.audit.verify import Asked, Report
    from settings import Settings

app = typer.Typer(help="The ledger: every transfer of money.", no_args_is_help=True)

_PROBLEMS_MAX = 100
_KEYS = (Purpose.JOURNAL, Purpose.OPERATOR)

SealFile = Annotated[
    Path | None,
    typer.Option(
        "--seal",
        help="Compare with this seal of `betcore ledger seal` too; it covers unvouched records.",
    ),
]
Unvouched = Annotated[
    int | None,
    typer.Option(
        min=0, help="Accept this exact number of records and facts that nothing vouches for."
    ),
]
WithoutJournal = Annotated[
    bool,
    typer.Option("--without-journal", help="Check only balances and bets; this needs no key."),
]
Out = Annotated[Path | None, typer.Option(help="Write the seal to this file, not to stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be added.")]


@app.command("verify")
def verify(
    seal: SealFile = None,
    unvouched: Unvouched = None,
    without_journal: WithoutJournal = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Verify the whole ledger as of one moment. Exit with 0 only if all of it is verified.

    This checks every account, transfer and bet. With the keys, it also checks that no transfer,
    rejected bet or administrative fact was edited, deleted or inserted. Records that nothing
    vouches for are an error, unless --unvouched states their number or the seal of --seal covers
    them.
    """
    from models.audit.verify import verify as verify_ledger
    from models.database.failures import database_failures
    from ops.database import note_done

    if without_journal and (seal is not None or unvouched is not None):
        raise typer.BadParameter("--without-journal excludes --seal and --unvouched.")
    settings = find_settings(data_dir)
    asked = None if without_journal else _asked(settings, seal, unvouched)
    with database_failures():
        report = verify_ledger(settings.database_url, _PROBLEMS_MAX, asked, Progress())
    counts: dict[str, object] = {"transfers": report.transfers, "accounts": report.accounts}
    if as_json:
        found = {"ok": report.ok} | counts | _vouched(report, asked)
        typer.echo(exact_json(found | {"problems": report.problems, "more": report.more}))
    else:
        emit({"ok": report.ok} | counts | _vouched_for_people(report, asked), as_json)
        for problem in report.problems:
            typer.echo(f"  {problem}")
        if report.more:
            typer.echo(f"  … and {report.more} more.")
    if not report.ok:
        raise typer.Exit(1)
    if asked is not None:
        note_done(settings.database_url, "verify")


@app.command("seal")
def seal(out: Out = None, data_dir: DataDir = None) -> None:
    """Print the end of every strand of the journal. Keep it elsewhere.

    `betcore ledger verify --seal` then detects whatever is cut off later.
    """
    from models.audit.seal import make_seal, write_seal
    from models.database.failures import database_failures
    from ops.database import note_done

    settings, journal, operator = _with_keys(data_dir)
    with database_failures():
        document = write_seal(make_seal(settings.database_url, journal, operator), journal.current)
    if out is None:
        typer.echo(document, nl=False)
    else:
        out.write_text(document)
        typer.echo(f"sealed in {out}: keep it outside the database", err=True)
    note_done(settings.database_url, "seal")


@app.command("adopt")
def adopt(
    dry_run: DryRun = False,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Vouch for unvouched records in their present state.

    These are transfers, rejected bets and finished rounds without a journal row, and facts without
    an entry in the audit log. They are older than the journal and the audit log, or were made by an
    older version.
    """
    from models.audit.adopt import adopt as adopt_records
    from models.database.failures import database_failures
    from ops.author import author_of

    settings, journal, _ = _with_keys(data_dir)
    author = author_of(find_settings(data_dir), note)
    with database_failures():
        added = adopt_records(settings.database_url, journal.current, author, only_count=dry_run)
    result: dict[str, object] = {"adopted": not dry_run, "transfers": added.transfers}
    for name, id_ in (("first", added.first), ("last", added.last)):
        result[name] = None if id_ is None else str(id_)
    result["rejectedBets"] = added.bets
    result["finishedRounds"] = added.rounds
    result["facts"] = dict(added.facts) if as_json else sum(added.facts.values())
    emit(result, as_json)


def _asked(configured: "Settings", seal: Path | None, unvouched: int | None) -> "Asked":
    from models.audit.verify import Asked
    from ops.keys import with_keys

    settings = with_keys(configured, *_KEYS)
    sealed = None if seal is None else _sealed(seal, require_ring(settings, Purpose.JOURNAL))
    journal, operator = [find_ring(settings, purpose) for purpose in _KEYS]
    return Asked(journal, operator, sealed, unvouched)


def _with_keys(data_dir: Path | None) -> "tuple[Settings, KeyRing, KeyRing]":
    from ops.keys import require_keys

    settings = require_keys(find_settings(data_dir), *_KEYS)
    journal, operator = [require_ring(settings, purpose) for purpose in _KEYS]
    return settings, journal, operator


def _sealed(file: Path, keys: KeyRing) -> "Seal":
    from models.audit.seal import read_seal

    return read_seal(file.read_bytes().decode(errors="replace"), keys)


def _vouched(report: "Report", asked: "Asked | None") -> dict[str, object]:
    """Return, for programs, what was verified of the journal and the audit log."""
    found = report.journal
    if found is None or asked is None:
        nothing = {"verified": False, "asked": False}
        return {"journal": nothing, "auditLog": nothing}
    left = found.unvouched
    return {
        "journal": {
            "verified": asked.journal is not None,
            "asked": True,
            "rows": found.rows,
            "strands": found.strands,
            "beforeJournal": left.transfers,
            "sealedStrands": found.sealed,
        },
        "auditLog": {
            "verified": asked.operator is not None,
            "asked": True,
            "entries": found.entries,
        },
        "unvouched": {
            "total": left.total,
            "stated": asked.unvouched,
            "transfers": left.transfers,
            "rejectedBets": left.bets,
            "finishedRounds": left.rounds,
            "facts": dict(left.facts),
            "inRowsOfUnknownKeys": left.of_unknown_keys,
        },
    }


def _vouched_for_people(report: "Report", asked: "Asked | None") -> dict[str, object]:
    found = report.journal
    if found is None or asked is None:
        return {"journal": "not verified, as asked: balances and bets only"}
    journal = f"verified: {found.rows} rows in {found.strands} strands"
    if found.sealed is not None:
        journal += f", {found.sealed} of them sealed"
    log = f"verified: {found.entries} entries"
    return {
        "journal": _unless_missing(journal, Purpose.JOURNAL, asked.journal),
        "audit log": _unless_missing(log, Purpose.OPERATOR, asked.operator),
        "unvouched": f"{found.unvouched.total}"
        + (f": {found.unvouched.said()}" if found.unvouched.total else ""),
    }


def _unless_missing(said: str, purpose: Purpose, ring: KeyRing | None) -> str:
    return said if ring is not None else f"NOT VERIFIED: no key ({purpose.variable})"
