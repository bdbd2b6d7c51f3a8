"""`betcore-kit` as its users run it: exit codes, one line for a wrong input, reports."""

import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from betcore_kit.cli import COMMANDS, main
from betcore_kit.conformance.case import CASES, Case
from betcore_kit.conformance.config import TEMPLATE, ConfigSite
from betcore_kit.conformance.html_report import as_html
from betcore_kit.conformance.reports import as_junit, as_text
from betcore_kit.conformance.runner import Report, Result, Verdict, chosen
from betcore_kit.conformance.wire import Exchange
from tests.kit.reference_server import Reference, serving

SECRET = "example-secret-not-real=="
ID = "933a215f-a9e6-4f88-9d91-52a87cd50499"
BODY = (
    '{"betAmount":"10.5","betId":"4178696881",'
    '"gameRoundId":"c5dfa465-93fc-4e8e-a643-954747f74ca1","winAmount":"55.25"}'
)
#: The vectors of PROTOCOL.md.
VECTOR = ("--timestamp", "1719766120806", "--nonce", "5a0679b6e5fa48f6892c777b0fa92392")
OF_NO_BODY = "3ebc387518e8c39cd824caeb4414664659d7dacd4c63140b9452c6530bfbe456"
OF_BODY = "7b0d5609eb27225f88b475d9aed7f4860c13f483dacc7403a0e376649532f8ad"


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def kit(*arguments: str | Path, stdin: bytes = b"", secret: str | None = SECRET) -> Done:
    """Run a command as its process would, in this one: a start takes longer than all the rest."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["betcore-kit", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        patch.delenv("BETCORE_KIT_SECRET", raising=False)
        if secret is not None:
            patch.setenv("BETCORE_KIT_SECRET", secret)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return Done(code or 0, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def wallet() -> Iterator[str]:
    with serving(Reference()) as url:
        yield url


@pytest.fixture(scope="module")
def identity(wallet: str) -> dict[str, str]:
    """A provider with one session."""
    with httpx.Client(follow_redirects=True) as http:
        made = http.post(f"{wallet}/sandbox/v1/providers", json={}).json()
        headers = {"Authorization": f"Bearer {made['token']}"}
        place = f"{wallet}/sandbox/portal/v1/sessions"
        for player in ("one", "two"):
            asked = {"player": player, "currency": "EUR", "balance": "1000"}
            made[player] = http.post(place, json=asked, headers=headers).json()["sessionId"]
    return {name: str(value) for name, value in made.items()}


@pytest.mark.parametrize(("body", "signature"), [((), OF_NO_BODY), (("--body", BODY), OF_BODY)])
def test_sign_gives_the_signatures_of_the_protocol(body: tuple[str, ...], signature: str) -> None:
    done = kit("sign", "http://127.0.0.1/x", "--counterparty-id", ID, *VECTOR, *body, "--json")

    made = json.loads(done.stdout)
    assert made["signature"] == signature == made["headers"]["X-Sign"]
    assert made["message"].endswith(f"{ID}.1719766120806.5a0679b6e5fa48f6892c777b0fa92392")
    assert SECRET not in done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("quoted", ["it's", 'say "$HOME" `id`', "a\\b", "línea\n2", "!1"])
def test_the_curl_command_sends_the_very_bytes_from_bash(
    wallet: str, identity: dict[str, str], quoted: str
) -> None:
    path = f"{wallet}/v1/sessions/{identity['one']}/bets/pay-in-out"
    body = json.dumps({"betId": quoted, "betAmount": 1, "winAmount": 1}, ensure_ascii=False)
    body = body.replace("\\n", "\\u006e")
    signed = ("--counterparty-id", identity["providerId"], "--secret", identity["secret"])

    made = kit("sign", path, *signed, "--body", body + "\n", "--json")
    curl = json.loads(made.stdout)["curl"]
    sent = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60, check=True)

    assert json.loads(sent.stdout)["_responseCode"] == 1, sent.stdout


def test_explain_tells_the_mistake_the_messages_and_where_they_differ(tmp_path: Path) -> None:
    signed = kit("sign", "http://wallet.test/x", "--counterparty-id", ID, "--body", BODY, "--json")
    headers = json.loads(signed.stdout)["headers"]
    sent = BODY.replace(",", ", ")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    request = tmp_path / "request.txt"
    request.write_text("\r\n".join(["POST /x HTTP/1.1", *lines, "", sent]), newline="")

    told = kit("explain", request)
    as_json = kit("explain", "--json", stdin=request.read_bytes())
    good = kit(
        "explain", "--json", stdin=request.read_bytes().replace(sent.encode(), BODY.encode())
    )

    assert told.returncode == as_json.returncode == 1
    assert "body_reserialised: Other JSON was signed than was sent" in told.stdout
    assert "They differ first at byte 20:" in told.stdout
    found = json.loads(as_json.stdout)
    assert [one["mistake"] for one in found["mistakes"]] == ["body_reserialised"]
    assert found["message"].startswith(sent)
    assert found["signedMessage"].startswith(BODY)
    assert (good.returncode, json.loads(good.stdout)["mistakes"]) == (0, [])
    assert SECRET not in told.stdout + as_json.stdout


SERVING = [
    ("--serve", "127.0.0.1:0"),
    ("--sandbox", "--serve", "9300"),
    ("--sandbox", "--serve", "127.0.0.1:65536"),
    ("--sandbox", "--serve", "192.0.2.1:0"),
    ("--sandbox", "--serve", "127.0.0.1:0"),
    ("--sandbox", "--serve", "127.0.0.1:0", "--rounds", "3"),
    ("--sandbox", "--serve", "127.0.0.1:0", "--public-url", "ftp://games.example.com"),
    ("--sandbox", "--public-url", "https://games.example.com"),
    ("--config", "pyproject.toml", "--serve", "127.0.0.1:0"),
]
WRONG = [
    ("sign", "http://wallet.test", "--counterparty-id", "a b"),
    ("sign", "http://wallet.test", "--counterparty-id", "a", "--nonce", "1"),
    ("sign", "http://wallet.test", "--counterparty-id", "a", "--timestamp", "now"),
    ("sign", "http://wallet.test", "--counterparty-id", "a", "--body", "{}", "--body-file", "x"),
    ("sign", "http://wallet.test", "--counterparty-id", "a", "--body-file", "/nowhere"),
    ("explain", "/nowhere"),
    ("explain", "pyproject.toml"),
    ("explain", "--received-at", "yesterday"),
    ("conformance",),
    ("conformance", "wallet.example.com", "--sandbox"),
    ("conformance", "http://127.0.0.1:9"),
    ("conformance", "http://127.0.0.1:9", "--sandbox"),
    ("conformance", "http://127.0.0.1:9", "--sandbox", "--only", "nothing"),
    ("conformance", "http://127.0.0.1:9", "--config", "/nowhere"),
    ("conformance", "http://127.0.0.1:9", "--config", "pyproject.toml"),
    ("conformance", "http://[::1", "--sandbox"),
    *[("simulate", "http://127.0.0.1:9", *one) for one in SERVING],
]
PROVIDER = '[provider]\ncounterparty_id = "a"\nsecret = "b"\n'
#: Files that are no configuration, and what is said of them.
CONFIGS = [
    ("", "lacks 'provider'"),
    ("[provider]", "lacks 'counterparty_id'"),
    (PROVIDER, 'has no [[session]] of the kind "play"'),
    (f'{PROVIDER}[session]\nid = "x"', "has not the form of --template"),
    (f'{PROVIDER}[[session]]\nkind = "play"', "lacks 'id'"),
    (f'{PROVIDER}[[session]]\nkind = "play"\nid = ""', "has no id"),
    (f'{PROVIDER}[[session]]\nkind = "x"\nid = "x"', "the kind 'x' is none of play"),
    (f'{PROVIDER}[[session]]\nkind = "play"\nid = "x"', "127.0.0.1:9 cannot be checked."),
    ("[", "is not TOML"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_wrong_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = kit(*arguments)

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("betcore-kit: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("text", "said"), CONFIGS)
def test_a_configuration_that_cannot_be_used_is_one_line(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "config.toml").write_text(text)

    done = kit("conformance", "http://127.0.0.1:9", "--config", tmp_path / "config.toml")

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_secret_sign_and_explain_say_how_to_give_one() -> None:
    for command in (("sign", "http://wallet.test", "--counterparty-id", "a"), ("explain",)):
        done = kit(*command, secret=None)

        assert done.returncode == 2
        assert "--secret-file" in done.stderr


def test_the_help_lists_every_command_and_the_installed_command_shows_it() -> None:
    command = Path(sys.executable).with_name("betcore-kit")
    shown = subprocess.run([command], capture_output=True, text=True, timeout=120, check=True)

    assert [name for name in COMMANDS if f"\n  {name}" not in shown.stdout] == []
    assert kit("--help").stdout == shown.stdout
    for name in COMMANDS:
        assert "Usage: betcore-kit" in kit(name, "--help").stdout


def test_conformance_with_a_file_passes_and_says_what_it_skips(
    wallet: str, identity: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    name, secret = identity["providerId"], identity["secret"]
    config.write_text(
        f'[provider]\ncounterparty_id = "{name}"\nsecret = "{secret}"\n'
        f'[[session]]\nkind = "play"\nid = "{identity["one"]}"\n'
        f'[[session]]\nkind = "play"\nid = "{identity["two"]}"\n'
    )
    reports = ("--junit", tmp_path / "junit.xml", "--html", tmp_path / "report.html", "--json")

    some = ("--only", "authentication,sessions,limits")

    done = kit("conformance", wallet, "--config", config, *some, *reports)

    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert told["ok"]
    assert told["counts"]["failed"] == 0
    skipped = {one["id"]: one["reason"] for one in told["cases"] if one["verdict"] == "skipped"}
    assert len(told["cases"]) - len(skipped) >= 30
    assert skipped["sessions/a_closed_session_takes_no_bet"] == (
        "This needs a [[session]] of the file: closed."
    )
    assert "--sandbox" in skipped["sessions/a_win_is_paid_after_the_session_was_closed"]
    assert "[other_provider]" in skipped["authentication/nonces_are_a_providers_own"]
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()  # noqa: S314  # our own
    assert len(list(suites.iter("testcase"))) == len(told["cases"])
    assert len(list(suites.iter("skipped"))) == len(skipped)
    assert identity["secret"] not in done.stdout
    assert identity["secret"] not in (tmp_path / "report.html").read_text()


def test_a_broken_promise_is_exit_code_1() -> None:
    with serving(Reference("upper_case_accepted")) as url:
        done = kit("conformance", url, "--sandbox", "--only", "authentication/*upper_case*")

    assert done.returncode == 1
    assert "FAILED authentication/an_upper_case_signature_is_refused" in done.stdout
    assert "Expected HTTP 401 with code 8, but got HTTP 200" in done.stdout


def test_the_template_has_the_form_of_a_config_and_the_list_has_every_case() -> None:
    template = kit("conformance", "--template").stdout
    listed = kit("conformance", "--list", "--only", "refunds,timing").stdout

    assert template == TEMPLATE
    whole = re.sub(r"^# (?=\[|\w+ = )", "", template, flags=re.MULTILINE)
    assert set(tomllib.loads(whole)) == {"provider", "other_provider", "session"}
    filled = re.sub(r'(id|secret|session) = ""', r'\1 = "x"', template)
    assert ConfigSite(tomllib.loads(filled)).parallel == 1
    wanted = [one.id for one in CASES if one.category in ("refunds", "timing")]
    assert sorted(re.findall(r"^\S+", listed, re.MULTILINE)) == sorted(wanted)


async def _nothing(_: object) -> None:
    """A case that is never run."""


def hostile_report() -> Report:
    """A run whose wallet answers with markup and control characters."""
    case = Case("errors", "a_case", "A promise & <b>one</b>.", "Rule <1>", _nothing)
    sent = Exchange(
        "GET /<script>alert(1)</script>", "HTTP/1.1 200\n\n\x00\x0b</pre><img src=x>", 1
    )
    failed = Result(case, Verdict.FAILED, "Got <script>\x00", 0.1, [sent])
    return Report("http://wallet.test/<b>", 0.0, 1.0, [failed])


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        self.found.append((tag, dict(attrs)))


def test_the_html_report_loads_nothing_and_escapes_what_the_wallet_says() -> None:
    page = as_html(hostile_report())

    tags = Tags(page).found
    assert {"script", "img", "b", "link", "iframe"} & {tag for tag, _ in tags} == set()
    links = [
        value for _, attributes in tags for name, value in attributes.items() if name == "href"
    ]
    assert all(link is not None and link.startswith("#") for link in links)
    assert not any("src" in attributes for _, attributes in tags)
    assert "url(" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "default-src 'none'" in page


def test_junit_is_xml_whatever_the_wallet_says() -> None:
    [suite] = ElementTree.fromstring(as_junit(hostile_report()))  # noqa: S314  # our own

    assert (suite.get("name"), suite.get("failures"), suite.get("tests")) == ("errors", "1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "Got <script>?"
    assert "GET /<script>" in (failure.text or "")
    assert "FAILED errors/a_case" in as_text(hostile_report())


def test_cases_are_chosen_by_category_id_and_pattern() -> None:
    assert {one.category for one in chosen(["refunds, timing"])} == {"refunds", "timing"}
    assert [one.id for one in chosen(["order/a_pay_in_out_does_both"])] == [
        "order/a_pay_in_out_does_both"
    ]
    assert len(chosen(["*/*tombstone*"])) == 3
