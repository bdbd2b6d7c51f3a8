"""Jobs as JSON: what the queue carries, and what comes back.

A job's `data` is RQ's own form for its JSON serializer, `[function, instance, args, kwargs]`. The
function is always `bets.apply`, and each argument is a command: its name, its values, the token of
its request, and the stream to which its result is sent. A command that moves cash has a fifth
value: what vouches for it (broker/orders.py).
"""

import json
import re
import zlib
from decimal import Decimal
from json.encoder import encode_basestring as _string
from typing import Any, Final, NamedTuple

from broker.keys import REPLIES
from models.commands import COMMANDS, BetCommand, CashCommand, Command
from models.errors import BetcoreError, InvalidRequest
from models.money import plain

#: No job of ours is as long, compressed or not; anything may have been put on the queue.
JOB_BYTES_MAX: Final = 1024 * 1024
#: What every job of ours runs.
_APPLY: Final = "bets.apply"
# Of a bet's, player's or reference's name in a description. A description of more than 1,024 bytes
# takes a job out of Redis's compact form (`hash-max-listpack-value`).
_QUOTED_MAX = 80
_FAILURE_CHARACTERS_MAX = 300
_TOKEN = re.compile("[0-9a-f]{1,64}")

_CALLS = {name: name.rpartition(".")[2].replace("_", "-") for name in COMMANDS}

_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_DECODE = json.JSONDecoder().decode


class BadJob(BetcoreError):  # noqa: N818
    """The job is not one of ours."""


class Order(NamedTuple):
    """What vouches for a job that moves cash, as it was given: not checked yet."""

    expires_ms: int  # Unix time, by the clock of who ordered it
    key: str  # names the key of the HMAC
    hmac: str  # in hex


class Work(NamedTuple):
    """What a request asks for, and where its result goes; no stream: nobody waits."""

    command: Command
    token: str
    reply_to: str
    order: Order | None = None


def encode_command(command: Command, token: str, reply_to: str, order: Order | None = None) -> str:
    """A command as an argument of a job."""
    if isinstance(command, BetCommand) and order is None:
        return (
            f'["{command.function}",{_values_of_bet(command)},{_string(token)},{_string(reply_to)}]'
        )
    vouched = [] if order is None else [order]
    return _ENCODE([command.function, command.to_job(), token, reply_to, *vouched])


def _values_of_bet(bet: BetCommand) -> str:
    """What `bet.to_job()` is as JSON, in half the time: a gateway writes it for every bet."""
    named = "finishes" if bet.round_finished else "round"
    game = "" if bet.game is None else f',"game":{_string(bet.game)}'
    return (
        f'{{"provider":{bet.provider_id},"session":{_string(bet.session_id)},'
        f'"account":{bet.account_id},"bet":{_string(bet.bet_id)},'
        f'"{named}":{"null" if bet.round_id is None else _string(bet.round_id)},'
        f'"stake":{_amount(bet.stake)},"win":{_amount(bet.win)},"odd":{_amount(bet.odd)}{game}}}'
    )


def _amount(amount: Decimal | None) -> str:
    return "null" if amount is None else f'"{plain(amount)}"'


def encode_job(*commands: object) -> str:
    """The `data` of a job that carries these commands, each as `decode_job` read it.

    It is ASCII. A planted command may name half a character, which UTF-8 cannot write. It may also
    nest so deep that it could just be read. Then the job carries no command, and is not ours.
    """
    try:
        return json.dumps([_APPLY, None, commands, {}], separators=(",", ":"))
    except RecursionError:
        return encode_job()


def call_of(command: Command) -> str:
    """The name of a command for people, such as `pay-in-out`."""
    return _CALLS[command.function]


def describe(command: Command) -> str:
    """What a command does, in one short line for people, as RQ's dashboard shows it.

    Such as: pay-in-out 10.5 → 55.25 of bet 'b-17' for player 'anna', account 42.
    """
    call = _CALLS[command.function]
    if isinstance(command, CashCommand):
        return (
            f"{call} {plain(command.amount)} by reference {_quoted(command.reference)} "
            f"for account {command.account_id}"
        )
    stake, win = command.stake, command.win
    if stake is not None and win is not None:
        call = f"{call} {plain(stake)} → {plain(win)}"
    elif (one := win if stake is None else stake) is not None:
        call = f"{call} {plain(one)}"
    player = f"player {_quoted(command.player)}, " if command.player else ""
    return f"{call} of bet {_quoted(command.bet_id)} for {player}account {command.account_id}"


def _quoted(text: str) -> str:
    """A text of a caller, printable and short; `repr` makes ten of some characters."""
    quoted = repr(text)
    return quoted if len(quoted) <= _QUOTED_MAX else quoted[: _QUOTED_MAX - 1] + "…"


def decode_job(data: bytes) -> list[Any]:
    """The commands that a job carries, for `decode_command`. Raises BadJob for a foreign job.

    RQ compresses `data` when it writes a job itself, as on a requeue.
    """
    try:
        function, instance, commands, named = _DECODE(_plain(data).decode())
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise _bad(error) from error
    if function != _APPLY or instance is not None or named or not isinstance(commands, list):
        raise BadJob
    return commands


def decode_command(form: Any) -> Work:
    """What a command of a job asks for. Raises BadJob for everything but our fixed forms."""
    try:
        function, values, token, reply_to, *more = form
        command = COMMANDS[function].from_job(values)
        order = _order(*more) if more else None
    except (ValueError, TypeError, KeyError, InvalidRequest, RecursionError) as error:
        raise _bad(error) from error
    if not _is_reply_stream(reply_to) or not _is_token(token):
        raise BadJob
    return Work(command, token, reply_to, order)


def _bad(error: Exception) -> BadJob:
    return BadJob(f"The job is not one of ours: {repr(error)[:_FAILURE_CHARACTERS_MAX]}")


def _is_token(token: object) -> bool:
    return isinstance(token, str) and _TOKEN.fullmatch(token) is not None


def _order(values: object) -> Order:
    match values:
        case [int(expires_ms), str(key), str(mac)] if not isinstance(expires_ms, bool):
            return Order(expires_ms, key, mac)
    raise TypeError(f"what vouches for a job expected, not {values!r:.80}")


def _plain(data: bytes) -> bytes:
    """The data of a job, not compressed. Raises ValueError when it is too long, or zlib.error."""
    text = expand(data, JOB_BYTES_MAX) if data[:1] == b"x" else data
    if len(text) > JOB_BYTES_MAX:
        raise ValueError(f"longer than {JOB_BYTES_MAX} bytes")
    return text


def expand(data: bytes, bytes_max: int) -> bytes:
    """Decompress data whole. Raises ValueError when it would be longer, or zlib.error."""
    expander = zlib.decompressobj()
    text = expander.decompress(data, bytes_max + 1)
    if len(text) > bytes_max:
        raise ValueError(f"longer than {bytes_max} bytes")
    if not expander.eof:
        raise zlib.error("incomplete or truncated stream")
    return text


def _is_reply_stream(name: object) -> bool:
    """Whether a result may be sent there; `finish` would fail on any other key, for all."""
    return isinstance(name, str) and name.isascii() and (not name or name.startswith(REPLIES))


def encode_result(result: object) -> str:
    """A result, or many, as JSON."""
    return _ENCODE(result)
