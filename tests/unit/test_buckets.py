"""Buckets: so many at once, then as many as time gives, and each name for itself."""

from api.shared.throttles import Buckets


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_gives_its_tokens_at_once_and_then_one_per_period() -> None:
    clock = Clock()
    buckets = Buckets(2, 3, clock)

    for _ in range(3):
        assert buckets.wait_seconds("a") == 0
        buckets.take("a")

    assert buckets.wait_seconds("a") == 0.5
    assert buckets.wait_seconds("b") == 0
    clock.now += 0.25
    assert buckets.wait_seconds("a") == 0.25
    clock.now += 0.25
    assert buckets.wait_seconds("a") == 0
    clock.now += 1000
    for _ in range(3):
        assert buckets.wait_seconds("a") == 0
        buckets.take("a")
    assert buckets.wait_seconds("a") == 0.5


def test_who_takes_more_than_there_is_does_not_wait_longer() -> None:
    buckets = Buckets(1, 1, Clock())

    for _ in range(50):
        buckets.take("a")

    assert buckets.wait_seconds("a") == 1


def test_asking_takes_nothing() -> None:
    buckets = Buckets(1, 1, Clock())

    assert [buckets.wait_seconds("a") for _ in range(5)] == [0] * 5
