"""The samples of docs/signing sign as docs/PROTOCOL.md says, in the languages of this machine."""

import hashlib
import hmac
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.source import ROOT

SECRET = "example-secret-not-real=="
PARTS = (
    "933a215f-a9e6-4f88-9d91-52a87cd50499",
    "1719766120806",
    "5a0679b6e5fa48f6892c777b0fa92392",
)
SAMPLES = ROOT / "docs/signing"
COMMANDS = {
    "sign.py": [sys.executable],
    "sign.mjs": ["node"],
    "sign.php": ["php"],
    "sign.go": ["go", "run"],
    "Sign.java": ["java"],
    "Sign.cs": ["dotnet", "run"],
    "sign.sh": ["bash"],
}
BODY = (
    b'{"betAmount":"10.5","betId":"4178696881",'
    b'"gameRoundId":"c5dfa465-93fc-4e8e-a643-954747f74ca1","winAmount":"55.25"}'
)
#: Line ends, NUL and bytes of UTF-8 are signed as they are sent.
AWKWARD = '{"betId" : "Ünïcode €",\r\n"x":"%s"}\n'.encode() + b"\x00\xff\n"


def vectors() -> dict[bytes, str]:
    """The signature by body: of the two vectors of PROTOCOL.md, and of an awkward body."""
    page = (ROOT / "docs/PROTOCOL.md").read_text()
    without, with_body = re.findall(r"`([0-9a-f]{64})`", page)
    message = b".".join([AWKWARD, *[part.encode() for part in PARTS]])
    own = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    return {b"": without, BODY: with_body, AWKWARD: own}


def test_there_is_a_sample_in_each_language() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_sample_signs_the_vectors_of_the_protocol(name: str) -> None:
    command = COMMANDS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed here")
    for body, signature in vectors().items():
        done = subprocess.run(
            [*command, SAMPLES / name, *PARTS],
            input=body,
            capture_output=True,
            env={**os.environ, "SECRET": SECRET},
            check=False,
        )
        assert done.stdout.decode().strip() == signature, done.stderr.decode()
