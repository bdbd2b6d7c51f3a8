"""`betcore-kit sign`: the signed message, the signature, and a curl command that sends it."""

import json
import re
import shlex
from typing import Annotated

import typer

from betcore_kit.commands.inputs import find_secrets, read_bytes
from betcore_kit.errors import KitError
from betcore_kit.signing import HEADERS, NONCE, Identity, message, signed_headers

Url = Annotated[str, typer.Argument(metavar="URL", help="The full URL of the call.")]
CounterpartyId = Annotated[str, typer.Option(help="Your id, as the operator gave it.")]
Secret = Annotated[
    list[str] | None, typer.Option(help="Your secret. Other users may see it: see --secret-file.")
]
SecretFile = Annotated[str | None, typer.Option(help="A file whose first line is the secret.")]
Body = Annotated[str | None, typer.Option(help="The body; without one, the call is a GET.")]
BodyFile = Annotated[str | None, typer.Option(help="A file that has the body; -: stdin.")]
Method = Annotated[str | None, typer.Option(help="Default: POST with a body, otherwise GET.")]
Timestamp = Annotated[str | None, typer.Option(help="Unix milliseconds; default: now.")]
Nonce = Annotated[str | None, typer.Option(help="32 hexadecimal digits; default: random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def sign(
    url: Url,
    counterparty_id: CounterpartyId,
    secret: Secret = None,
    secret_file: SecretFile = None,
    body: Body = None,
    body_file: BodyFile = None,
    method: Method = None,
    timestamp: Timestamp = None,
    nonce: Nonce = None,
    as_json: AsJson = False,
) -> None:
    """Sign a request. Print the message, the signature, and a curl command for bash.

    The signature is good for 30 s and for one use. The secret is not printed.
    """
    if body is not None and body_file is not None:
        raise KitError("The body is given twice: use either --body or --body-file.")
    sent = read_bytes(body_file) if body_file is not None else (body or "").encode()
    if timestamp is not None and not re.fullmatch("[0-9]{1,16}", timestamp):
        raise KitError("--timestamp must be Unix milliseconds, such as 1719766120806.")
    if nonce is not None and not re.fullmatch("[0-9a-fA-F]{32}", nonce):
        raise KitError("--nonce must be 32 hexadecimal digits, without dashes.")
    identity = Identity(counterparty_id, find_secrets(secret, secret_file)[0])
    headers = signed_headers(identity, sent, timestamp, nonce)
    signed = message(sent, *(headers[name] for name in HEADERS[:3]))
    command = curl(method or ("POST" if sent else "GET"), url, headers, sent, body_file)
    shown = signed.decode("utf-8", "backslashreplace")
    if as_json:
        found = {"message": shown, "signature": headers[HEADERS[3]], "headers": headers}
        typer.echo(json.dumps(found | {"curl": command}, ensure_ascii=False, indent=2))
        return
    typer.echo(f"message ({len(signed)} bytes):\n{shown}\n\nsignature:\n{headers[HEADERS[3]]}\n")
    typer.echo(f"curl, good for 30 s and one use of {NONCE}:\n{command}")


def curl(
    method: str, url: str, headers: dict[str, str], body: bytes, body_file: str | None = None
) -> str:
    """Return a curl command for bash that sends exactly these bytes.

    Raises KitError if the body is no text and comes from stdin: bash has no way to write it.
    """
    # --globoff: brackets in a URL are data. --data-raw: a body may begin with @.
    parts = ["curl", "--silent", "--show-error", "--write-out", "\\n", "--globoff"]
    parts += ["--request", method, url]
    for name, value in headers.items():
        parts += ["--header", f"{name}: {value}"]
    if body:
        parts += ["--header", "Content-Type: application/json"]
        parts += _data(body, body_file)
    return " ".join(shlex.quote(part) for part in parts)


def _data(body: bytes, body_file: str | None) -> list[str]:
    if body_file is not None and body_file != "-":
        return ["--data-binary", f"@{body_file}"]
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise KitError("The body is not text: put it into a file and use --body-file FILE.")
    return ["--data-raw", text]
