"""Which bets a gateway sheds: a share under load, a crowd's excess, too many of one session."""

import asyncio

import pytest

from api.wallet.load_shedding import LoadShedder
from server.peer import Peer
from settings import Settings
from tests.unit.gateway_parts import CLIENT, gateway_parts

BODY = b'{"betId":"a","betAmount":1,"winAmount":0}'
SETTINGS = Settings(loop_lag_max_seconds=0.5, requests_in_flight_max=5, bets_of_session_max=4)
GREAT, SMALL, NEW = b"great", b"small", b"new"
PATH = b"/v1/sessions/a/bets/pay-in"
OURS = CLIENT.counterparty_id.encode()


def known(provider: bytes) -> Peer:
    """The other end of a connection that carried a valid signature of this provider."""
    peer = Peer()
    peer.note(provider)
    return peer


def turned_away(
    shedder: LoadShedder,
    now: float,
    provider: bytes = b"",
    of: int = 300,
    *,
    session: str = "a",
    peer: Peer | None = None,
) -> int:
    """How many of so many bets of one session are shed as they come."""
    headers = [(b"host", b"h"), (b"x-counterparty-id", provider)]
    path, peer = f"/v1/sessions/{session}/bets/pay-in".encode(), peer or known(provider)
    return sum(shedder.decide_to_shed(headers, path, peer, now) for _ in range(of))


def bets(shedder: LoadShedder, provider: bytes, number: int) -> None:
    """So many bets of a provider, each answered before the next."""
    for _ in range(number):
        shedder.count_in(provider, "a")
        shedder.count_out(provider, "a")


def with_two_providers() -> LoadShedder:
    """One provider has just made 100 bets, and another has made one."""
    shedder = LoadShedder(SETTINGS)
    bets(shedder, GREAT, 100)
    bets(shedder, SMALL, 1)
    shedder.pass_time(0.02)
    return shedder


def test_alone_a_provider_is_refused_from_a_quarter_of_the_longest_wait_on() -> None:
    shedder = LoadShedder(SETTINGS)
    bets(shedder, GREAT, 100)

    assert turned_away(shedder, 0, GREAT) == 0
    for thousandths, expected in ((250, 0), (500, 100), (625, 150), (0, 0), (1000, 300)):
        shedder.note(thousandths, 7)
        assert abs(turned_away(shedder, 7, GREAT) - expected) <= 1


def test_what_redis_said_counts_for_a_moment() -> None:
    shedder = LoadShedder(SETTINGS)
    shedder.note(1000, 7)

    assert turned_away(shedder, 7.049, of=1) == 1
    assert turned_away(shedder, 7.051, of=1) == 0


def test_among_others_the_greatest_is_refused_early_so_that_they_wait_little() -> None:
    shedder = with_two_providers()

    for thousandths, expected in ((50, 0), (150, 150), (250, 300), (1000, 300)):
        shedder.note(thousandths, 7)
        assert abs(turned_away(shedder, 7, GREAT) - expected) <= 1


def test_who_uses_less_than_another_is_not_refused_while_that_one_is() -> None:
    shedder = with_two_providers()
    shedder.note(1000, 7)
    shedder.note_lag(10)

    assert turned_away(shedder, 7, GREAT) == 300
    assert turned_away(shedder, 7, SMALL) == turned_away(shedder, 7, NEW) == 0
    assert turned_away(shedder, 7) == 300  # it says nothing of who it is


def test_while_one_crowds_the_queue_the_bets_of_others_go_ahead_of_it() -> None:
    shedder = with_two_providers()
    assert not shedder.goes_ahead(SMALL, 7)  # nothing waits

    shedder.note(60, 7)

    assert shedder.goes_ahead(SMALL, 7)
    assert shedder.goes_ahead(NEW, 7)
    assert not shedder.goes_ahead(GREAT, 7)
    assert not shedder.goes_ahead(SMALL, 7.051)  # what Redis said is too old


@pytest.mark.parametrize(("great", "ahead"), [(GREAT, 1), (OURS, 0)])
async def test_a_gateway_sends_the_bet_of_a_small_provider_ahead_of_the_queue(
    great: bytes, ahead: int
) -> None:
    async with gateway_parts() as gateway:
        gateway.link.redis.rpush("rq:queue:bets", "1-a")
        bets(gateway.load_shedder, great, 100)
        bets(gateway.load_shedder, SMALL, 1)
        gateway.load_shedder.pass_time(0.02)
        gateway.load_shedder.note(60, asyncio.get_running_loop().time() + 3_600)

        await gateway.post(BODY)

        assert gateway.link.redis.llen("betcore:returned:bets") == ahead


def test_alone_nobody_goes_ahead() -> None:
    shedder = LoadShedder(SETTINGS)
    bets(shedder, GREAT, 100)
    shedder.pass_time(0.02)
    shedder.note(1000, 7)

    assert not shedder.goes_ahead(GREAT, 7)


def test_two_providers_that_use_as_much_are_refused_alike() -> None:
    shedder = LoadShedder(SETTINGS)
    bets(shedder, GREAT, 100)
    bets(shedder, SMALL, 90)
    bets(shedder, NEW, 50)
    shedder.pass_time(0.02)
    shedder.note(150, 7)

    assert abs(turned_away(shedder, 7, GREAT) - 150) <= 1
    assert abs(turned_away(shedder, 7, SMALL) - 150) <= 1
    assert turned_away(shedder, 7, NEW) == 0


def test_who_has_not_bet_for_long_is_no_other_for_whose_sake_one_is_refused() -> None:
    shedder = with_two_providers()
    bets(shedder, GREAT, 10_000)
    shedder.pass_time(10)
    shedder.note(250, 7)

    assert turned_away(shedder, 7, GREAT) == 0


def test_the_share_grows_with_the_lag_of_the_loop() -> None:
    shedder = LoadShedder(SETTINGS)

    for lag, expected in ((0.25, 0), (7.0, 300), (0.375, 150), (0.5, 300), (0.0, 0)):
        shedder.note_lag(lag)
        assert abs(turned_away(shedder, 0) - expected) <= 1


async def test_the_share_grows_with_the_wait_of_the_first_of_ones_own_in_the_intake() -> None:
    shedder = LoadShedder(SETTINGS)
    loop = asyncio.get_running_loop()
    entering = [
        asyncio.create_task(shedder.intake.enter(GREAT))
        for _ in range(SETTINGS.admissions_per_script_max + 1)
    ]
    await asyncio.sleep(0)

    came = loop.time()
    assert shedder.intake.wait_of(GREAT, came + 0.3) >= 0.3
    for waited, expected in ((0.15, 0), (0.375, 150), (0.6, 300)):
        assert abs(turned_away(shedder, came + waited, GREAT) - expected) <= 15
    assert turned_away(shedder, came + 0.6, SMALL) == 0
    # Whoever names a provider on a connection on which it has not signed waits with strangers.
    assert not shedder.decide_to_shed([(b"x-counterparty-id", GREAT)], PATH, Peer(), came + 0.6)

    await asyncio.gather(*entering)
    assert turned_away(shedder, came + 0.375, GREAT) == 0


def test_a_session_has_enough_when_so_many_of_its_bets_are_under_way_and_no_other_has() -> None:
    shedder = LoadShedder(SETTINGS)
    for session in ("a", "a", "a", "a"):
        assert not shedder.session_is_full(GREAT, session, 0)
        shedder.count_in(GREAT, session)

    assert shedder.session_is_full(GREAT, "a", 0)
    assert not shedder.session_is_full(GREAT, "b", 0)
    shedder.count_out(GREAT, "a")
    assert not shedder.session_is_full(GREAT, "a", 0)


def test_bets_that_another_provider_sends_under_a_session_keep_none_of_its_own_out() -> None:
    """A path may name any session. Only the look-up tells whose session it is."""
    shedder = LoadShedder(SETTINGS)
    for _ in range(4):
        shedder.count_in(SMALL, "a")

    assert shedder.session_is_full(SMALL, "a", 0)
    assert not shedder.session_is_full(GREAT, "a", 0)
    shedder.count_in(GREAT, "a")
    shedder.count_out(GREAT, "a")
    assert shedder.session_is_full(SMALL, "a", 0)


def test_while_it_is_crowded_a_session_may_have_an_eighth_of_that() -> None:
    shedder = LoadShedder(SETTINGS.model_copy(update={"bets_of_session_max": 16}))
    for _ in range(2):
        shedder.count_in(GREAT, "a")

    assert not shedder.session_is_full(GREAT, "a", 7)
    shedder.note(320, 7)
    assert not shedder.session_is_full(GREAT, "a", 7)
    shedder.note(330, 7)
    assert shedder.session_is_full(GREAT, "a", 7)
    assert not shedder.session_is_full(GREAT, "b", 7)
    shedder.note(0, 7)
    assert shedder.session_is_full(GREAT, "a", 7.9)  # the share comes and goes
    assert not shedder.session_is_full(GREAT, "a", 8.1)


def test_even_when_it_is_crowded_a_session_may_have_one_bet() -> None:
    shedder = LoadShedder(SETTINGS)
    shedder.note(1000, 7)

    assert not shedder.session_is_full(GREAT, "a", 7)
    shedder.count_in(GREAT, "a")
    assert shedder.session_is_full(GREAT, "a", 7)


def test_a_bet_whose_session_has_enough_when_it_is_crowded_is_turned_away_before_it_waits() -> None:
    shedder = LoadShedder(SETTINGS.model_copy(update={"bets_of_session_max": 16}))
    for _ in range(2):
        shedder.count_in(GREAT, "b")

    assert turned_away(shedder, 7, GREAT, session="b") == 0
    shedder.note(330, 7)
    assert turned_away(shedder, 7, GREAT, session="b") == 300
    share = turned_away(shedder, 7, GREAT, session="a")
    assert 0 < share < 60
    # Whoever has not signed there may name any session, and learns nothing of it.
    assert turned_away(shedder, 7, GREAT, session="b", peer=Peer()) == share
    shedder.count_out(GREAT, "b")
    assert turned_away(shedder, 7, GREAT, session="b") == share


async def test_bets_that_wait_for_their_turn_count_as_those_of_their_session() -> None:
    shedder = LoadShedder(SETTINGS.model_copy(update={"bets_of_session_max": 16}))
    room = SETTINGS.admissions_per_script_max
    before = [asyncio.create_task(shedder.intake.enter(GREAT)) for _ in range(room)]
    waiting = [asyncio.create_task(shedder.enter(GREAT, "b", known(GREAT))) for _ in range(2)]
    unproven = asyncio.create_task(shedder.enter(GREAT, "a", Peer()))
    question = asyncio.create_task(shedder.enter(GREAT, "", known(GREAT)))
    await asyncio.sleep(0)

    shedder.note(330, 7)
    assert turned_away(shedder, 7, GREAT, session="b") == 300
    assert turned_away(shedder, 7, GREAT, session="a") < 60
    waiting[0].cancel()
    await asyncio.gather(*before, *waiting, unproven, question, return_exceptions=True)
    assert turned_away(shedder, 7, GREAT, session="b") < 60


def test_when_as_many_are_under_way_as_may_be_all_of_that_provider_are_turned_away() -> None:
    shedder = LoadShedder(SETTINGS)
    for session in ("a", "b", "c", "b", "c"):
        assert not shedder.is_full(GREAT)
        shedder.count_in(GREAT, session)

    assert shedder.is_full(GREAT)
    assert turned_away(shedder, 0, GREAT) == 300
    shedder.count_out(GREAT, "b")
    assert not shedder.is_full(GREAT)
    assert turned_away(shedder, 0, GREAT) == 0


def test_a_provider_that_has_less_than_its_part_is_let_in_though_another_has_all() -> None:
    shedder = LoadShedder(SETTINGS)
    for _ in range(5):
        shedder.count_in(GREAT, "a")

    for _ in range(3):  # of five, the half
        assert not shedder.is_full(SMALL)
        shedder.count_in(SMALL, "b")
    assert shedder.is_full(SMALL)
    assert not shedder.is_full(NEW)
