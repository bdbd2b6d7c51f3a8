"""The counters and histograms that are added to where bets are processed. One set per process.

What is exported of them, and by which process, is in `ops/process/metrics.py`.
"""

from typing import Final

from metrics.meters import COMMANDS, SECONDS, Counter, Histogram, LabelledCounter

#: How long one step took (docs/METRICS.md, "Steps").
ACCEPT: Final = Histogram(SECONDS)
AUTHENTICATE: Final = Histogram(SECONDS)
ADMIT: Final = Histogram(SECONDS)
QUEUE: Final = Histogram(SECONDS)
LOAD: Final = Histogram(SECONDS)
DECIDE: Final = Histogram(SECONDS)
COMMITTED: Final = Histogram(SECONDS)
FINISH: Final = Histogram(SECONDS)
REPLY: Final = Histogram(SECONDS)

GROUP: Final = Histogram(COMMANDS)  # commands in one job
BATCH: Final = Histogram(COMMANDS)  # commands in one transaction

HISTOGRAMS: Final = (
    *(ACCEPT, AUTHENTICATE, ADMIT, QUEUE, LOAD, DECIDE, COMMITTED, FINISH, REPLY),
    *(GROUP, BATCH),
)

EXPIRED: Final = Counter()
LEASES_LOST: Final = Counter()
SWEPT: Final = Counter()
SHED: Final = Counter()

#: Answers of this gateway that are not success: call, code, reason, provider, and the cause that
#: only the log knows.
ANSWERS: Final = LabelledCounter()
