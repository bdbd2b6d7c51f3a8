"""The portal as a process: its rooms, its readiness, and servers that go away and come back."""

import socket
from pathlib import Path

import httpx
import pytest

from tests.service.portal.caller import Caller, fresh, new_key, problem
from tests.service.portal.person import logged_in
from tests.service.support.faults import fault_world
from tests.service.support.processes import PortalProcess, common_environment, until
from tests.service.support.up_world import betcore
from tests.service.support.world import World


def test_servers_that_are_away_give_503_and_nothing_half_done() -> None:
    with fault_world() as world, PortalProcess(world.urls) as portal:
        portal.wait_ready()
        caller = Caller(portal.url, new_key(world, "all"))
        provider = world.provider()
        asked = {"player": fresh(), "currency": "EUR", "providerId": provider.counterparty_id}
        deposit = {"currency": "EUR", "amount": "5", "reference": "once"}
        path = f"/players/{asked['player']}/deposits"

        world.stop_redis()
        until(lambda: httpx.get(f"{portal.url}/readyz").status_code == 503)
        refused = caller.post(path, **deposit)
        problem(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "1"
        assert world.rows(
            "select count(*) from player where external_id = %s", asked["player"]
        ) == [(0,)]
        assert caller.post("/sessions", **asked).status_code == 201
        with logged_in(world, portal.url, "support") as someone:
            assert "Redis cannot be asked" in someone.page("/").text
            away = someone.get("/queue")
            assert (away.status_code, away.headers["retry-after"]) == (503, "1")
        world.start_redis()
        until(lambda: caller.post(path, **deposit).status_code == 200)

        world.stop_postgres()
        for response in (caller.get("/players"), caller.post("/sessions", **asked)):
            problem(response, 503, "unavailable")
            assert response.headers["retry-after"] == "1"
        assert (
            "PostgreSQL" in problem(httpx.get(f"{portal.url}/readyz"), 503, "unavailable")["detail"]
        )
        page = httpx.get(f"{portal.url}/console/", cookies={"betcore-session": "any"})
        assert (page.status_code, page.headers["retry-after"]) == (503, "1")
        assert "<h1>" in page.text
        assert httpx.get(f"{portal.url}/healthz").json() == {"status": "alive"}
        world.start_postgres()
        until(lambda: httpx.get(f"{portal.url}/readyz").status_code == 200)
        shown = caller.done(caller.get(f"/players/{asked['player']}"))
        assert [one["balance"] for one in shown["accounts"]] == ["5"]
        assert len(caller.done(caller.get("/sessions", player=asked["player"]))["items"]) == 1
        caller.http.close()


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        (("--rooms", "kitchen"), {}, "There is no room 'kitchen': choose from operator"),
        ((), {"BETCORE_OPERATOR_KEY": ""}, "set BETCORE_OPERATOR_KEY"),
        ((), {"BETCORE_SECRETS_KEY": ""}, "set BETCORE_SECRETS_KEY"),
        ((), {"BETCORE_TRUSTED_PROXIES": "10.0.0.1/8"}, "BETCORE_TRUSTED_PROXIES"),
    ],
)
def test_what_it_cannot_serve_with_is_said_in_one_line(
    world: World, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    settings = common_environment(world.urls, "operator") | env
    done = betcore("portal", "--port", "0", *arguments, cwd=tmp_path, **settings)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_http_is_refused_with_problem_details(portal: PortalProcess) -> None:
    host, _, port = portal.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"GET /operator/v1/players HTTP/1.1\r\nbad header\r\n\r\n")
        answer = raw.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
