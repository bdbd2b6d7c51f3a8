"""The first bet and the launch of docs/PROVIDERS.md, typed as they stand there."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.service.sandbox.newcomer import Newcomer, Sandbox
from tests.service.support.fake_provider import fake_provider
from tests.service.support.patience import COMMAND
from tests.source import ROOT

GUIDE = (ROOT / "docs" / "PROVIDERS.md").read_text()
MISSING = [name for name in ("bash", "curl", "jq", "openssl") if shutil.which(name) is None]


def code(heading: str, language: str, sandbox: Sandbox) -> list[str]:
    """The blocks of a language below a heading, with the addresses of this sandbox."""
    part = re.split(r"^##", GUIDE.partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)
    there = {"http://127.0.0.1:8090": sandbox.portal, "http://127.0.0.1:8000": sandbox.wallet}
    for usual, here in there.items():
        blocks = [block.replace(usual, here) for block in blocks]
    assert blocks
    return blocks


def typed(*command: str) -> str:
    """What a command says on stdout. It must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


WITH_CURL = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@WITH_CURL
def test_the_first_bet_with_curl_is_accepted(sandbox: Sandbox) -> None:
    said = typed("bash", "-c", "\n".join(code("### With curl", "bash", sandbox)))

    assert '"balance":1000.2' in said
    assert '"_responseCode":1' in said


def test_the_first_bet_with_python_is_accepted(sandbox: Sandbox) -> None:
    said = typed(sys.executable, "-c", *code("### With Python", "python", sandbox))

    assert "'balance': '1000.2'" in said


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_first_bet_with_node_is_accepted(sandbox: Sandbox) -> None:
    [script] = code("### With Node", "js", sandbox)
    said = typed("node", "--input-type=module", "--eval", script)

    assert '"balance":1000.2' in said


@WITH_CURL
def test_a_provider_with_a_server_of_its_own_launches_its_game(
    sandbox: Sandbox, newcomer: Newcomer
) -> None:
    """The fake server knows the secret of the newcomer, so this does not make a new provider."""
    _, launching = code("## Games and launch", "bash", sandbox)
    [making, _] = code("### With curl", "bash", sandbox)
    known = f"TOKEN={newcomer.made['token']}"
    with fake_provider(newcomer.client) as server:
        server.offer({"gameId": "YOUR-GAME", "name": "Yours"})
        there = launching.replace("http://127.0.0.1:9000", server.url)
        said = typed("bash", "-c", f"{making}\n{known}\n{there}")

    assert '"added":["YOUR-GAME"]' in said
    assert '"frameUri":"https://play.example.com/"' in said
