"""Every command that README and the documents show is run here, or read by its parser."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rq.cli.cli import main as rq_commands

from tests.service.operators.documented import (
    APPS,
    DOCUMENTS,
    STAND_INS,
    Shown,
    fault,
    filled,
    shown_in,
)
from tests.service.support.client import ProviderClient
from tests.service.support.operator_cli import Operator, operator_with_worker
from tests.service.support.processes import PortalProcess
from tests.source import ROOT

#: Commands that are not run here, by how they begin. Those of `betcore`, `make` and `rq` are read
#: by their own parser all the same, and the others by the shell's.
NOT_RUN = {
    "betcore up": "it goes on; test_up.py runs it",
    "betcore gateway": "it goes on; test_cli.py runs it",
    "betcore worker": "it goes on; test_cli.py runs it",
    "betcore dashboard": "it goes on; test_cli.py runs it",
    "betcore portal": "it goes on; test_portal_process.py runs it",
    "betcore healthy": "it asks a process at its usual port; test_containers.py runs it",
    "betcore queue info --watch": "it goes on; test_queue_commands.py runs it",
    "betcore backup": "it copies an embedded server; test_backup.py runs it",
    "betcore restore": "it needs such a copy; test_backup.py runs it",
    "make": "it installs, or takes minutes; its dry run is looked at",
    "rq": "it is shown as what not to type",
    "python -m bench": "it writes into a document; its options are looked at",
    "honcho start": "it goes on; test_procfile.py runs it",
    "docker": "there is none; test_containers.py runs what is in the files",
    "kubectl": "there is no cluster; test_kubernetes.py reads what is applied",
    "post": "a function of the script before it; test_guide.py types it",
    "systemctl": "it is of the machine",
    "apt": "it is of the machine",
    "pg_dump": "it is of another server",
    "psql": "it is of another server",
}
#: What commands may refuse with, though they can be read, as there is nothing to do for them here.
MAY_REFUSE = {
    "betcore account statement": "name one account|need --currency",  # the sentence does not
    "betcore console user password": "There is no user named 'admin'",  # `betcore up` makes it
    "betcore games sync": "has no URL",  # nothing of ours calls a server that is not there
    "betcore operator key revoke": "There is no key named",
    "betcore queue requeue": "Name one failed job|is not among the failed jobs",
}
#: Commands after which others make the installation as it was.
UNDONE_BY = {
    "betcore queue suspend": ["queue resume"],
    "betcore provider suspend": ["provider resume ID", "provider resume COUNTERPARTY_ID"],
    "betcore player block": ["player unblock anna"],
    "betcore provider set-url": ["provider set-url ID --none"],
}
OUTSIDE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


#: Where the documents say that a gateway and a portal listen.
GATEWAY, PORTAL = "http://127.0.0.1:8000", "http://127.0.0.1:8090"


@dataclass(frozen=True)
class Installation:
    """Where the commands run, and what stands for a document's placeholders there."""

    operator: Operator
    client: ProviderClient
    places: dict[str, str]

    def run(self, *words: str) -> str:
        """Run a program at the root of the project, without the variables of an outer make."""
        done = self.operator.run(*filled(words, self.places))
        return "" if done.exit_code == 0 else f"{done.exception!r}: {' '.join(done.stderr.split())}"

    def type(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of a shell, with what stands for the values of its variables."""
        names = "COUNTERPARTY_ID|SECRET|SESSION_ID|THE_KEY"
        typed = re.sub(rf"(?<==)({names})\b", lambda found: self.places[found[0]], script)
        return run("bash", "-c", typed)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Servers, a worker, a gateway, a player; in a folder with the files that documents name."""
    folder = tmp_path_factory.mktemp("typed")
    before = Path.cwd()
    with operator_with_worker() as operator:
        os.chdir(folder)
        try:
            client = operator.world.provider(operator.world.gateway())
            player = ("--provider", client.counterparty_id, "--player", "anna")
            (session,) = operator.documents(
                *("session", "open", *player, "--currency", "EUR", "--deposit", "1000")
            )
            (added,) = operator.documents("provider", "secret", "add", operator.provider)
            (key,) = operator.documents("operator", "key", "add", "typed", "--scope", "all")
            assert operator.run("ledger", "seal", "--out", "seal").exit_code == 0
            (folder / "bets.csv").write_text("betId\n")
            yield Installation(
                operator,
                client,
                {
                    "ID": operator.provider,  # it makes no bets
                    "PROVIDER": operator.provider,
                    "COUNTERPARTY_ID": client.counterparty_id,
                    "SECRET": client.secret,
                    "THE_KEY": key["key"],
                    "SESSION_ID": session["sessionId"],
                    **STAND_INS,
                    "NUMBER": str(added["secretId"]),
                    "FILE": "seal",
                    "TEXT": "a note",
                    "JOB_ID": "7-" + "ab" * 16,
                },
            )
        finally:
            os.chdir(before)


@pytest.fixture(scope="module")
def documented() -> list[Shown]:
    """Every command of every document."""
    return [shown for path in DOCUMENTS for shown in shown_in(path.name, path.read_text())]


def begins(shown: Shown, name: str) -> bool:
    """Whether a command begins with these words."""
    return shown.words[: len(name.split())] == tuple(name.split())


def is_left_out(shown: Shown) -> bool:
    """Whether the command is not run here."""
    return any(begins(shown, name) for name in NOT_RUN)


def may_refuse(shown: Shown, why: str) -> bool:
    """Whether the command may fail for this reason."""
    return any(begins(shown, name) and re.search(said, why) for name, said in MAY_REFUSE.items())


def fault_of(shown: Shown) -> str:
    """Why a command cannot be read by its program; '' when it can."""
    program, *words = shown.words or ("",)
    if program in APPS:
        return fault(words, is_whole=shown.is_whole, program=program)
    if program == "make":
        return fault_of_make(words)
    if program == "rq":
        unknown = words[:1] != [] and words[0] not in rq_commands.commands
        return f"rq has no command {words[0]!r}" if unknown else ""
    if program == "python":
        usage = run(sys.executable, *words[:2], "--help").stdout
        unknown_options = [word for word in words[2:] if word not in usage]
        return f"it has no option {unknown_options[0]}" if unknown_options else ""
    if shown.is_script or is_left_out(shown):
        return run("bash", "-n", "-c", shown.text).stderr
    return "it is neither run, nor read, nor in the table of those that are not"


def fault_of_make(words: list[str]) -> str:
    """Why make cannot do it; '' when it can. Variables must be some that the Makefile reads."""
    makefile = (ROOT / "Makefile").read_text()
    for name, _, value in (word.partition("=") for word in words if "=" in word):
        if f"$({name}" not in makefile:
            return f"the Makefile reads no variable {name}"
        if words[0] == "run" and (wrong := fault(["up", *value.split()], is_whole=True)):
            return wrong
    return run("make", "--dry-run", *words).stderr


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program at the root of the project, as if no make had started these tests."""
    env = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def test_every_command_that_a_document_shows_can_be_read_by_its_program(
    documented: list[Shown],
) -> None:
    known: dict[tuple[object, ...], str] = {}
    for shown in documented:
        same = (shown.words or shown.text, shown.is_whole)
        known[same] = known.get(same) or fault_of(shown)

    faults = {
        f"{shown.where}: {shown.text}": why
        for shown in documented
        if (why := known[shown.words or shown.text, shown.is_whole])
    }
    assert faults == {}
    assert len(documented) > 80  # they were found


def of_no_sandbox(documented: list[Shown]) -> list[Shown]:
    """The scripts that need no sandbox. tests/service/sandbox/test_guide.py runs the others."""
    return [shown for shown in documented if shown.is_script and "PROVIDERS.md" not in shown.where]


def test_the_signed_request_that_a_document_shows_is_answered(
    documented: list[Shown], installation: Installation
) -> None:
    scripts = [shown for shown in of_no_sandbox(documented) if PORTAL not in shown.text]

    for shown in scripts:
        answered = installation.type(shown.text.replace(GATEWAY, installation.client.url))
        assert answered.stdout.endswith('"_responseCode":1}'), (shown.where, answered)

    assert scripts


def test_the_calls_of_the_operator_api_that_a_document_shows_do_what_it_says(
    documented: list[Shown], installation: Installation
) -> None:
    scripts = [shown for shown in of_no_sandbox(documented) if PORTAL in shown.text]
    with PortalProcess(installation.operator.world.urls) as portal:
        portal.wait_ready()
        for shown in scripts:
            answered = installation.type(shown.text.replace(PORTAL, portal.url))
            answers = [json.loads(line) for line in answered.stdout.splitlines()]
            calls = re.findall(r"(?:^|\| )call ", shown.text, re.MULTILINE)
            assert len(answers) == len(calls) > 0, (shown.where, answered)
            assert [one for one in answers if "code" in one] == [], shown.where

    assert scripts


def test_every_command_of_betcore_that_a_document_shows_does_what_it_says(
    documented: list[Shown], installation: Installation
) -> None:
    complete = {
        shown.words: shown
        for shown in documented
        if shown.words[:1] == ("betcore",)
        and len(shown.words) > 1
        and not is_left_out(shown)
        and not fault(shown.words[1:], is_whole=True)
    }

    faults = {}
    for words, shown in complete.items():
        why = installation.run(*words[1:])
        if why and not may_refuse(shown, why):
            faults[f"{shown.where}: {shown.text}"] = why
        for name, undone in UNDONE_BY.items():
            for one in undone if begins(shown, name) else ():
                assert installation.run(*one.split()) == ""

    assert faults == {}
    assert len(complete) >= 12


WRONG = """
| command | what |
|---|---|
| `betcore queue suspend`, `resume`, `restart` | a command that is not there |

Type `betcore bet show --nothing`, `betcore provider secret revoke ID NUMBER`, `make nothing`,
`make run ARGS=--nothing`, `make run NOTHING=1` or `rq nothing`; `betcore bet show` is fine,
and `betcore
bets` is not.

```sh
FOLDER=x betcore bet show      # not whole
betcore queue info && betcore nothing
frobnicate --all
X=1
```

    $ .venv/bin/betcore session open \\
        --nothing
"""


def test_what_cannot_be_typed_is_found_wherever_a_document_shows_it() -> None:
    wrong = [shown for shown in shown_in("a.md", WRONG) if fault_of(shown)]

    assert sorted(" ".join(shown.words) for shown in wrong) == [
        "betcore bet show",
        "betcore bet show --nothing",
        "betcore bets",
        "betcore nothing",
        "betcore provider secret revoke ID NUMBER",
        "betcore restart",
        "betcore session open --nothing",
        "frobnicate --all",
        "make nothing",
        "make run ARGS=--nothing",
        "make run NOTHING=1",
        "rq nothing",
    ]
