"""What a gateway turns away without asking: the share that Redis last named, for a moment."""

from broker.crowding import Crowding


def turned_away(crowding: Crowding, now: float, of: int = 300) -> int:
    return sum(crowding.turns_away(now) for _ in range(of))


def test_it_turns_away_the_share_that_redis_named() -> None:
    crowding = Crowding(0.5)

    assert turned_away(crowding, 0) == 0
    for thousandths, expected in ((333, 99), (0, 0), (1000, 300), (500, 150)):
        crowding.note(thousandths, 7)
        assert abs(turned_away(crowding, 7) - expected) <= 1


def test_what_redis_said_counts_for_a_moment() -> None:
    crowding = Crowding(0.5)
    crowding.note(1000, 7)

    assert crowding.turns_away(7.049)
    assert not crowding.turns_away(7.051)


def test_the_share_grows_with_the_lag_of_the_loop() -> None:
    crowding = Crowding(0.5)

    for lag, expected in ((0.1, 0), (0.3, 150), (0.5, 300), (7.0, 300), (0.0, 0)):
        crowding.note_lag(lag)
        assert abs(turned_away(crowding, 0) - expected) <= 1
