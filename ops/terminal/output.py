"""Lets stdout and stderr print anything: on every terminal, and even if they are closed."""

import codecs
import os
import sys
from io import TextIOWrapper

_ASCII = "betcore-ascii"
_ESCAPE = "betcore-escape"


def print_anything() -> None:
    r"""Let every character be printed. Characters missing in the encoding become like `\u00fc`.

    JSON has the same escapes, so a document remains the same document. A closed standard stream
    becomes /dev/null: otherwise the next opened file would get its number.
    """
    codecs.register(_ascii)
    codecs.register_error(_ESCAPE, _escape)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Typer writes UTF-8 to a stream whose encoding is named ASCII.
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if is_ascii else None, errors=_ESCAPE)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # A character above U+FFFF becomes a pair, as in JSON.
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


def _ascii(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != _ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=_ASCII,
        encode=plain.encode,
        decode=plain.decode,
        incrementalencoder=plain.incrementalencoder,
        incrementaldecoder=plain.incrementaldecoder,
    )
