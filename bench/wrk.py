"""Runs `wrk`, a load generator in C, on signed requests, and reads what bench/wrk.lua counted."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.traffic import Signed
from models.errors import BetcoreError

_SCRIPT = Path(__file__).with_name("wrk.lua")
_SEPARATOR = b"\x1e"  # in no request
_BUCKET_MICROSECONDS = 10
_LOADS_WITHIN_SECONDS = 1.0  # wrk reads its files by then


class NoLoadGenerator(BetcoreError):  # noqa: N818 - named for what it is about
    """There is no `wrk` on this machine: `apt-get install wrk`, or `brew install wrk`."""


class LoadFailed(BetcoreError):  # noqa: N818 - as above
    """wrk ended without a report."""


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    good: int  # answered 200, code 1, with a balance
    bad: Mapping[str, int]  # "status code" -> other answers
    sockets: int  # errors of connections, and answers that never came
    seconds: float  # from the first request to the last answer
    latency: Latency
    cpu_seconds: float  # of wrk itself

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """Answers that were bad, and errors of connections."""
        return sum(self.bad.values()) + self.sockets


def require_wrk() -> str:
    """The path of `wrk`. Raises NoLoadGenerator."""
    found = shutil.which("wrk")
    if found is None:
        raise NoLoadGenerator
    return found


def drive(
    url: str,
    requests: Sequence[Signed],
    connections: int,
    seconds: int,
    rate: float | None = None,
) -> tuple[Load, list[Signed]]:
    """Send requests to `url`, each once and in order, for so many seconds or until none is left.

    Returns what became of them, and those that were sent: answered, or cut off by the end.

    Without `rate`, a closed loop: each connection sends when it was answered; percentiles are
    wrk's own, which correct for coordinated omission, except at one connection, where they are
    exact. With `rate`, an open loop of so many requests a second: a connection whose answer is
    late sends late, and the latency counts from when it should have sent.

    Raises NoLoadGenerator, and LoadFailed with what wrk said.
    """
    threads = connections if rate is not None else 1
    with tempfile.TemporaryDirectory(prefix="betcore-bench-") as folder:
        shares = [requests[thread::threads] for thread in range(threads)]
        for thread, share in enumerate(shares):
            path = Path(folder, f"requests.{thread}")
            path.write_bytes(b"".join(signed.request + _SEPARATOR for signed in share))
        lead = _LOADS_WITHIN_SECONDS if rate is not None else 0.0
        environment = {
            "BENCH_REQUESTS": str(Path(folder, "requests")),
            "BENCH_EXACT": str(int(threads == connections)),
            "BENCH_THREADS": str(threads),
        }
        if rate is not None:
            environment |= {"BENCH_RATE": str(rate), "BENCH_START": str(time.monotonic() + lead)}
        options = [f"-t{threads}", f"-c{connections}", f"-d{seconds + round(lead)}s"]
        report, cpu_seconds = _run([*options, "-s", str(_SCRIPT), url], environment)
    return _load(report, shares, cpu_seconds)


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[str, float]:
    """The last line that wrk prints, and the CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 - the wrk that we found
        [require_wrk(), *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # no other child has ended meanwhile
    *_, last = done.stdout.splitlines() or [""]
    if done.returncode or not last.startswith("{"):
        raise LoadFailed(f"wrk ended with {done.returncode}: {done.stderr[-2000:]}")
    return last, used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def _load(
    report: str, shares: Sequence[Sequence[Signed]], cpu_seconds: float
) -> tuple[Load, list[Signed]]:
    read = json.loads(report)
    sent = [signed for share, n in zip(shares, read["sent"], strict=True) for signed in share[:n]]
    counted = {int(bucket): count for bucket, count in read["latencies"].items()}
    if counted:
        latency = exact_latency(counted, _BUCKET_MICROSECONDS)
    else:
        values = [read[name] / 1000 for name in ("p50", "p90", "p99", "max")]
        latency = Latency(*values)
    counts = (read["good"], read["bad"], read["sockets"], read["seconds"])
    return Load(*counts, latency, cpu_seconds), sent


def exact_latency(counted: Mapping[int, int], bucket_microseconds: int) -> Latency:
    """Percentiles of counted answers: number of the bucket -> how many; a bucket's middle counts.

    The percentile p is the least latency that at least p in a hundred do not exceed.
    """
    total = sum(counted.values())
    buckets = sorted(counted)

    def at(share: float) -> float:
        left = share * total
        for bucket in buckets:
            left -= counted[bucket]
            if left <= 0:
                return (bucket + 0.5) * bucket_microseconds / 1000
        return (buckets[-1] + 0.5) * bucket_microseconds / 1000

    return Latency(at(0.5), at(0.9), at(0.99), at(1.0))
