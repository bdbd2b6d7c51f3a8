"""Which Redis can be used. A refusal is one line that names the cause and the cure."""

import re

import pytest

from broker.conditions import UnfitRedis, judge, parse_info, refused
from broker.permissions import GATEWAY, WORKER
from broker.registered import Attendance, printable, registered
from broker.scripts import source

FIT = {
    "redis_version": "7.2.4",
    "run_id": "a run",
    "cluster_enabled": "0",
    "role": "master",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "evicted_keys": "3",
}
EVICTING = (
    *("allkeys-lru", "allkeys-lfu", "allkeys-random"),
    *("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"),
)


def test_a_redis_that_is_fit_gives_no_warning() -> None:
    conditions = judge(FIT)

    assert (conditions.run_id, conditions.evicted_keys) == ("a run", 3)
    assert conditions.warnings == ()
    assert judge(FIT | {"maxmemory": "100000000"}).warnings == ()


@pytest.mark.parametrize("policy", EVICTING)
def test_whatever_could_evict_a_nonce_is_refused_and_named(policy: str) -> None:
    with pytest.raises(UnfitRedis) as error:
        judge(FIT | {"maxmemory": "104857600", "maxmemory_policy": policy})

    assert f"maxmemory-policy {policy}, maxmemory 100 MB" in str(error.value)
    assert "Set maxmemory-policy to noeviction" in str(error.value)
    [warning] = judge(FIT | {"maxmemory_policy": policy}).warnings  # it cannot evict now
    assert policy in warning


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"redis_version": "6.2.14"}, "version 6.2.14, which is too old: use Valkey 8, Redis 7"),
        ({"redis_version": ""}, "version unknown"),
        ({"cluster_enabled": "1"}, "cluster mode, which RQ cannot use"),
        ({"role": "slave"}, "a replica and takes no writes"),
        ({"maxmemory_policy": None}, "does not tell its maxmemory and maxmemory_policy"),
    ],
)
def test_a_redis_that_cannot_be_used_is_refused_in_one_line(
    changed: dict[str, str | None], said: str
) -> None:
    info = {name: value for name, value in (FIT | changed).items() if value is not None}

    with pytest.raises(UnfitRedis, match=said) as error:
        judge(info)

    assert "\n" not in str(error.value)


def test_a_redis_without_an_append_only_file_gives_a_warning() -> None:
    [warning] = judge(FIT | {"aof_enabled": "0"}).warnings

    assert "Set appendonly to yes" in warning


def test_info_is_read_as_redis_sends_it() -> None:
    text = "# Server\r\nredis_version:7.2.4\r\nexecutable:/a:b\r\n\r\n# Memory\r\nmaxmemory:0\r\n"

    assert parse_info(text) == {"redis_version": "7.2.4", "executable": "/a:b", "maxmemory": "0"}


def test_a_refusal_of_redis_is_one_line() -> None:
    assert "\n" not in str(refused(Exception("two\r\nlines")))


@pytest.mark.parametrize(
    ("scripts", "commands"),
    [
        (("admit", "remember", "workers", "flights"), GATEWAY),
        (("take", "finish", "renew", "sweep", "workers", "tidy"), WORKER),
    ],
)
def test_every_command_of_a_script_is_tried_at_the_start(
    scripts: tuple[str, ...], commands: tuple[str, ...]
) -> None:
    for name in scripts:
        used = set(re.findall(r"(?:call|answer|write)\('([A-Z]+)'", source(name)))
        assert used <= {*commands, "SET", "TIME"}, name


def test_workers_that_are_not_ours_are_named_and_their_texts_are_harmless() -> None:
    ours = registered([b"one", b"web", b"1", b"3.0.0", b"idle", b"now", b"now", b"1"])
    alien = registered([b"a\nb\xff", b"web", b"2", b"3.0.0", b"idle", b"now", b"now", None])

    assert Attendance(False, (ours,)).warning("bets") == ""
    beside = Attendance(False, (ours, alien))
    assert not beside.only_foreign
    assert "'a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}' (host web, pid 2, RQ 3.0.0)" in (
        beside.warning("bets")
    )
    assert Attendance(False, (alien,)).only_foreign
    assert len(Attendance(False, (alien,) * 500).warning("bets")) < 1000
    assert printable(b"\x1b[31m") == "\N{REPLACEMENT CHARACTER}[31m"
