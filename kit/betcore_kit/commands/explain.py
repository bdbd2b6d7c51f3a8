"""`betcore-kit explain`: why the signature of a raw request does not match."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from betcore_kit.commands.inputs import find_secrets, read_bytes
from betcore_kit.errors import KitError, printable
from betcore_kit.explain.diagnosis import Diagnosis, diagnose, difference
from betcore_kit.explain.raw import RawRequest, read_request
from betcore_kit.explain.words import SENTENCES
from betcore_kit.signing import now_ms

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE]...", help="Raw HTTP requests, in the order sent; -: stdin."),
]
Secret = Annotated[
    list[str] | None,
    typer.Option(help="The right secret. Further ones are secrets that you may have mixed up."),
]
SecretFile = Annotated[str | None, typer.Option(help="A file whose first line is the secret.")]
CounterpartyId = Annotated[str | None, typer.Option(help="The id that the secret belongs to.")]
ReceivedAt = Annotated[
    str | None, typer.Option(help="When the request arrived: Unix milliseconds, or RFC 3339.")
]
#: With these, the age of the timestamp says nothing.
_OTHER_UNITS = {"timestamp_seconds", "timestamp_microseconds"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def explain(
    files: Files = None,
    secret: Secret = None,
    secret_file: SecretFile = None,
    counterparty_id: CounterpartyId = None,
    received_at: ReceivedAt = None,
    as_json: AsJson = False,
) -> None:
    """Say why the signature of a raw HTTP request does not match.

    A request is what was sent: request line, headers, an empty line, and the exact body. The exit
    code is 0 if nothing is wrong, and 1 if something is.
    """
    secrets = find_secrets(secret, secret_file)
    then = int(now_ms()) if received_at is None else _moment(received_at)
    earlier: list[RawRequest] = []
    shown: list[dict[str, Any]] = []
    for file in files or ["-"]:
        request = read_request(read_bytes(file))
        found = diagnose(
            request,
            secrets,
            then,
            arrived_then=received_at is not None,
            counterparty_id=counterparty_id,
            earlier=earlier,
        )
        earlier.append(request)
        shown.append(_fields(found))
        if not as_json:
            typer.echo(_told(request, found))
    if as_json:
        told = shown[0] if len(shown) == 1 else shown
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    raise typer.Exit(1 if any(one["mistakes"] for one in shown) else 0)


def _fields(found: Diagnosis) -> dict[str, Any]:
    mistakes = [{"mistake": word, "sentence": SENTENCES[word]} for word in found.words]
    return {
        "mistakes": mistakes,
        "message": _shown(found.message),
        "signature": found.signature,
        "received": found.received,
        "signedMessage": None if found.signed is None else _shown(found.signed),
        "difference": "" if found.signed is None else difference(found.message, found.signed),
        "ageSeconds": None if found.age_ms is None else found.age_ms / 1000,
    }


def _told(request: RawRequest, found: Diagnosis) -> str:
    lines = [request.line, ""]
    lines += [f"{word}: {SENTENCES[word]}" for word in found.words]
    if not found.words:
        lines.append("The signature is good, and nothing else is wrong with the headers.")
    lines += ["", f"expected message ({len(found.message)} bytes):", _shown(found.message)]
    if found.signed is not None and found.signed != found.message:
        lines += [f"signed message ({len(found.signed)} bytes):", _shown(found.signed)]
        lines.append(difference(found.message, found.signed))
    lines += ["", f"expected signature: {found.signature}", f"received signature: {found.received}"]
    if found.age_ms is not None and not {*found.words} & _OTHER_UNITS:
        lines.append(f"The timestamp is {found.age_ms / 1000:.1f} s old, and 30 s are allowed.")
    return "\n".join([*lines, ""])


def _shown(message: bytes) -> str:
    return printable(message.decode("utf-8", "backslashreplace"))


def _moment(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise KitError(
            "--received-at must be Unix milliseconds, or a time such as 2026-12-01T12:00:00Z."
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
