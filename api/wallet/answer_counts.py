"""Counts every answer of this gateway, and what follows from these counts (docs/METRICS.md)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from api.wallet.errors import REPLAYED, REUSED, UNSIGNED, ApiError
from metrics.measured import ANSWERS
from models.codes import Code
from models.reason import Reason

_CALLS: Final = {
    "pay-in": "pay_in",
    "pay-out": "pay_out",
    "pay-in-out": "pay_in_out",
    "refund": "refund",
    "balance": "balance",
    "bets": "bet_status",
}
#: Where the paths of all calls begin.
CALLS: Final = b"/v1/"
_HEALTH: Final = frozenset({"/healthz", "/readyz"})
_WINS: Final = (str(Reason.WIN_ABOVE_LIMIT), str(Reason.WIN_ABOVE_DAILY_LIMIT))
_DONE: Final[defaultdict[str, defaultdict[bytes, int]]] = defaultdict(lambda: defaultdict(int))

Labels = tuple[str, ...]


class KnownProviders:
    """The providers that exist, as this gateway last read. Only these become a label."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def replace(self, names: Iterable[str]) -> None:
        """Forget the earlier ones."""
        self._names = {name.encode(): name for name in names}

    def label(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The provider that these headers name, or "" if it does not exist."""
        for name, value in headers:
            if name == b"x-counterparty-id":
                return self._names.get(value, "")
        return ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())


#: One per process, because a gateway has one directory.
KNOWN: Final = KnownProviders()


def call_of(path: str | bytes) -> str:
    """The call of a path, as `pay_in_out`, or "" if no call has this path."""
    text = path.decode("latin-1") if isinstance(path, bytes) else path
    text = text.partition("?")[0]
    return _CALLS.get(text.rpartition("/")[2], "") if text.startswith("/v1/") else ""


def done_of(call: str) -> defaultdict[bytes, int]:
    """Where to count the successes of a call: `done[provider] += 1`, once it has signed."""
    return _DONE[call]


def count_error(
    error: ApiError, cause: str, headers: Iterable[tuple[bytes, bytes]], path: str | bytes
) -> None:
    """Count any other answer. `cause` is a text of ours, of which there are few."""
    if path in _HEALTH:
        return  # nobody's request
    labels = call_of(path), str(int(error.code)), str(error.reason or ""), KNOWN.label(headers)
    ANSWERS.counts[*labels, cause] += 1


def requests() -> dict[Labels, float]:
    """The answers by call, code, reason and provider."""
    found: Counter[Labels] = Counter()
    for (*labels, _), count in dict(ANSWERS.counts).items():
        found[tuple(labels)] += count
    for call, by_provider in dict(_DONE).items():
        for provider, count in dict(by_provider).items():
            found[call, str(int(Code.DONE)), "", provider.decode()] += count
    return dict(found)


def replays() -> dict[Labels, float]:
    """Requests whose id was used before, by provider."""
    return _by_provider(REPLAYED, REUSED)


def bad_signatures() -> dict[Labels, float]:
    """Requests that a provider which exists did not sign correctly, by provider."""
    return _by_provider(UNSIGNED)


def wins_refused() -> dict[Labels, float]:
    """Wins above a limit, by provider and reason."""
    found: dict[Labels, float] = {(provider, reason): 0.0 for provider in KNOWN for reason in _WINS}
    for (_, _, reason, provider, _), count in dict(ANSWERS.counts).items():
        if reason in _WINS:
            found[provider, reason] = found.get((provider, reason), 0) + count
    return found


def _by_provider(*causes: str) -> dict[Labels, float]:
    # Every provider has a series from the start, so that `increase` sees its first event too.
    found: dict[Labels, float] = {(provider,): 0.0 for provider in KNOWN}
    for (_, _, _, provider, cause), count in dict(ANSWERS.counts).items():
        if cause in causes and provider:
            found[provider,] = found.get((provider,), 0) + count
    return found
