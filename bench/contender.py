"""What the benchmark measures: an installation that answers signed requests at a URL."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from embedded import Urls
from models.keys import KeyRing, Purpose
from models.secret_cipher import SecretCipher

#: The keys of all contenders that need some: nothing here is worth more.
KEYS = {purpose.variable: f"{number + 1:02x}" * 32 for number, purpose in enumerate(Purpose)}
JOURNAL = KeyRing.read(Purpose.JOURNAL, KEYS[Purpose.JOURNAL.variable])
CIPHER = SecretCipher(KeyRing.read(Purpose.SECRETS, KEYS[Purpose.SECRETS.variable]))
OPERATOR = KeyRing.read(Purpose.OPERATOR, KEYS[Purpose.OPERATOR.variable])


class Running(NamedTuple):
    """A contender that answers: where, and its processes by role (`gateway`, `worker`)."""

    url: str
    pids: Mapping[str, Sequence[int]]


class Contender(NamedTuple):
    """One way of building it; `start` boots its processes on servers that are migrated already.

    All contenders write the same tables, so that the same audit can be made of each. The context
    is entered once requests can be answered, and leaves no process behind.
    """

    name: str
    what: str  # one line for the table's legend
    start: Callable[[Urls], AbstractContextManager[Running]]
