"""The first bet of docs/PROVIDERS.md, typed as it stands there."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.service.sandbox.newcomer import Sandbox
from tests.service.support.patience import COMMAND
from tests.source import ROOT

GUIDE = (ROOT / "docs" / "PROVIDERS.md").read_text()
MISSING = [name for name in ("bash", "curl", "jq", "openssl") if shutil.which(name) is None]


def first_bet(language: str, sandbox: Sandbox) -> str:
    """The code of the guide in a language, with the addresses of this sandbox."""
    part = GUIDE.partition("### With curl\n")[2].partition("## Sign\n")[0]
    code = "\n".join(re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL))
    assert "http://127.0.0.1:8090" in code
    there = code.replace("http://127.0.0.1:8090", sandbox.portal)
    return there.replace("http://127.0.0.1:8000", sandbox.wallet)


def typed(*command: str) -> str:
    """What a command says on stdout. It must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")
def test_the_first_bet_with_curl_is_accepted(sandbox: Sandbox) -> None:
    said = typed("bash", "-c", first_bet("bash", sandbox))

    assert '"balance":1000.2' in said
    assert '"_responseCode":1' in said


def test_the_first_bet_with_python_is_accepted(sandbox: Sandbox) -> None:
    said = typed(sys.executable, "-c", first_bet("python", sandbox))

    assert "'balance': '1000.2'" in said
