"""The pages of the console: anything is found, and what is done there is in the audit log."""

import re
import uuid
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from models.audit.log import operation
from models.directory.providers import add_provider
from models.reports.vitals import record_done
from tests.service.portal.person import Page, Person, logged_in
from tests.service.support import keys
from tests.service.support.processes import PortalProcess
from tests.service.support.world import PlayerSession, World

HOSTILE = "<script>alert(1)</script>'\"&{{7*7}}<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def operator(world: World, portal: PortalProcess) -> Iterator[Person]:
    with logged_in(world, portal.url, "operator") as one:
        yield one


@pytest.fixture(scope="module")
def admin(world: World, portal: PortalProcess) -> Iterator[Person]:
    with logged_in(world, portal.url, "admin") as one:
        yield one


def external_id(world: World, player: PlayerSession) -> str:
    """The player's id in the operator's own system."""
    query = (
        "select external_id from player join account on account.player_id = player.id"
        " where account.id = %s"
    )
    return str(world.rows(query, player.account_id)[0][0])


def goes_to(answer: httpx.Response) -> str:
    """Where an answer leads, as a path below the console's."""
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).removeprefix("/console")


def test_anything_is_found_by_its_id(world: World, operator: Person, player: PlayerSession) -> None:
    bet_id, round_id = uuid.uuid4().hex, uuid.uuid4().hex
    done = player.call("pay-in-out", bet_id, betAmount=2, winAmount=5, gameRoundId=round_id)
    name, provider = external_id(world, player), player.client.counterparty_id
    query = {"provider": provider, "id": bet_id}
    life = "/bet?" + str(httpx.QueryParams(query))

    assert goes_to(operator.get("/search", q=f" {bet_id} ")) == life
    for transaction in (
        row[0]
        for row in world.rows(
            "select t.id from transfer t join bet on bet.id = t.bet where bet_id = %s", bet_id
        )
    ):
        assert goes_to(operator.get("/search", q=str(transaction))) == life
    assert goes_to(operator.get("/search", q=round_id)) == life
    assert goes_to(operator.get("/search", q=player.session_id)).startswith("/session?id=")
    assert goes_to(operator.get("/search", q=name)) == f"/player?{httpx.QueryParams(id=name)}"
    assert "Nothing has this id" in operator.page("/search", q=uuid.uuid4().hex).text
    assert "Nothing has this id" in operator.page("/search", q="9" * 30).text
    assert operator.get("/search", q="  ").headers["location"] == "/console/"
    assert done.code == 1

    shown = operator.page("/bet", **query)
    for told in ("stake", "win", "balance after", name, round_id, "journal strand"):
        assert told in shown.text
    player.call("pay-in", second := uuid.uuid4().hex, betAmount=1, gameRoundId=round_id)
    both = operator.page("/search", q=round_id).text
    assert bet_id in both
    assert second in both


def test_a_bet_id_of_two_providers_finds_both(
    world: World, operator: Person, player: PlayerSession
) -> None:
    other = world.open_session(world.provider())
    bet_id = uuid.uuid4().hex
    for one in (player, other):
        one.call("pay-in", bet_id, betAmount=1)

    found = operator.page("/search", q=bet_id)

    for one in (player, other):
        assert one.client.counterparty_id in str(found.elements)


def test_a_statement_comes_in_pages_that_lose_nothing(
    world: World, operator: Person, player: PlayerSession
) -> None:
    for number in range(60):
        player.call("pay-in", f"bet {number}", betAmount=1)
    name = external_id(world, player)
    page = operator.page("/statement", id=name, currency="EUR")
    assert "940" in page.text  # after the period
    (more,) = [a["href"] for tag, a in page.elements if a.get("rel") == "next"]
    rest = operator.page(more.removeprefix("/console"))

    for number in range(60):
        assert (f"bet {number}" in page.text) or (f"bet {number}" in rest.text)
    assert not [a for _, a in rest.elements if a.get("rel") == "next"]
    later = operator.page("/statement", id=name, currency="EUR", since="2099-01-01")
    assert "None in this period" in later.text
    for bad in ("yesterday", "2026-13-01"):
        assert operator.get("/statement", id=name, currency="EUR", since=bad).status_code == 422
    forged = operator.get("/statement", id=name, currency="EUR", cursor="x")
    assert forged.status_code == 422


def test_what_is_done_holds_and_the_audit_log_has_it(
    world: World, operator: Person, player: PlayerSession
) -> None:
    name, provider = external_id(world, player), player.client.counterparty_id
    steps = [
        ("/player", "/player/block", {"id": name}, "/player", {"note": "a fraud?"}),
        ("/player", "/player/unblock", {"id": name}, "/player", {}),
        ("/session", "/session/extend", {"id": player.session_id}, "/session", {"minutes": "999"}),
        ("/session", "/session/close", {"id": player.session_id}, "/session", {}),
        ("/provider", "/provider/suspend", {"id": provider}, "/provider", {}),
        ("/provider", "/provider/resume", {"id": provider}, "/provider", {}),
        ("/provider", "/provider/lock", {"id": provider}, "/provider", {}),
        ("/provider", "/provider/unlock", {"id": provider}, "/provider", {}),
    ]
    for page, action, query, to, fields in steps:
        done = goes_to(operator.submit(operator.page(page, **query), action, **fields))
        assert done.startswith(f"{to}?")
        assert 'role="status"' in operator.get(done).text
    done_by = "select action, note from audit_log where actor = %s order by id"
    rows = world.rows(done_by, f"user:{operator.name}@127.0.0.1")
    assert [row[0] for row in rows][-8:] == [
        *("player.blocked", "player.unblocked", "session.extended", "session.closed"),
        *("provider.suspended", "provider.resumed", "provider.locked", "provider.unlocked"),
    ]
    assert rows[-8][1] == "a fraud?"
    log = operator.page("/audit", subject=f"player:{name}").text
    assert "player.blocked" in log
    assert "a fraud?" in log
    again = operator.page("/session", id=player.session_id)
    assert "/console/session/extend" not in again.forms


def test_the_queue_is_shown_suspended_and_resumed(
    world: World, operator: Person, player: PlayerSession
) -> None:
    page = operator.page("/queue")
    for worker in world.workers:
        assert worker.name in page.text
    assert not re.search(r"\dT\d", page.text)  # times are as people read them
    goes_to(operator.submit(page, "/queue/suspend", seconds="3600"))
    try:
        assert player.call("pay-in", uuid.uuid4().hex, betAmount=1).code != 1
        assert "suspended" in operator.page("/").text
    finally:
        goes_to(operator.submit(operator.page("/queue"), "/queue/resume"))
    assert player.call("pay-in", uuid.uuid4().hex, betAmount=1).code == 1
    csrf = operator.page("/").forms["/console/logout"]["csrf"]
    refused = operator.post("/queue/requeue", csrf=csrf, job=HOSTILE)
    assert refused.status_code == 409
    assert HOSTILE[:20] in Page(refused.text).text
    for bad in ("0", "-1", "x", "9" * 20):
        assert operator.post("/queue/suspend", csrf=csrf, seconds=bad).status_code == 422


def test_a_secret_and_a_password_are_shown_once(
    world: World, admin: Person, player: PlayerSession
) -> None:
    provider = player.client.counterparty_id
    made = admin.submit(admin.page("/provider", id=provider), "/provider/secret/add")
    assert "shown only now" in Page(made.text).text
    page = admin.page("/provider", id=provider)
    assert "shown only now" not in page.text
    ids = [
        row[0]
        for row in world.rows(
            "select s.id from provider_secret s join provider p on p.id = s.provider_id"
            " where counterparty_id = %s order by s.id",
            provider,
        )
    ]
    assert len(ids) == 2
    goes_to(admin.submit(page, "/provider/secret/revoke", secret=str(ids[1])))
    assert "revoked" in admin.page("/provider", id=provider).text

    name = f"new-{uuid.uuid4().hex}"
    fields = {"name": name, "role": "support"}
    made = admin.submit(admin.page("/users"), "/users/add", **fields)
    assert f"The password of {name}" in Page(made.text).text
    csrf = admin.page("/").forms["/console/logout"]["csrf"]
    again = admin.post("/users/add", csrf=csrf, **fields)
    assert again.status_code == 409
    goes_to(admin.post("/users/role", csrf=csrf, name=name, role="operator"))
    assert "shown only now" in admin.post("/users/password", csrf=csrf, name=name).text
    goes_to(admin.post("/users/revoke", csrf=csrf, name=name))
    for path in ("/users/revoke", "/users/role", "/users/password"):
        assert admin.post(path, csrf=csrf, name=admin.name, role="support").status_code == 409


def test_the_result_of_the_house_is_a_table_and_a_chart(
    operator: Person, player: PlayerSession
) -> None:
    player.call(
        "pay-in-out", uuid.uuid4().hex, betAmount=Decimal("12.5"), winAmount=Decimal("2.25")
    )
    page = operator.page("/house", provider=player.client.counterparty_id)

    assert "10.25" in page.text
    bars = [a for tag, a in page.elements if tag == "rect"]
    assert len(bars) == 14
    assert [bar["class"] for bar in bars if int(bar["height"]) > 0] == ["gain"]
    assert operator.get("/house", since="2026-01-02", until="2026-01-01").status_code == 422
    assert operator.get("/house", since="1000-01-02").status_code == 422


def test_the_ledgers_page_tells_when_it_was_last_verified(world: World, operator: Person) -> None:
    record_done(world.operator_url, "verify")

    assert re.search(r"Last verified \d+ s ago", operator.page("/ledger").text)


@pytest.fixture(scope="module")
def hostile(world: World) -> PlayerSession:
    """A player, a provider, a bet and a round with names that want to be markup."""
    with operation(world.operator_url, keys.AUTHOR) as database:
        add_provider(database, f"{HOSTILE}{uuid.uuid4().hex}"[:128], keys.CIPHER)
    client = world.provider()
    player = world.open_session(client, player=HOSTILE)
    player.call("pay-in", HOSTILE, betAmount=1, gameRoundId=HOSTILE)
    return player


def test_no_stored_text_becomes_markup(admin: Person, hostile: PlayerSession) -> None:
    provider = hostile.client.counterparty_id
    blocked = admin.page("/player", id=HOSTILE)
    goes_to(admin.submit(blocked, "/player/block", note=HOSTILE))
    goes_to(admin.submit(admin.page("/player", id=HOSTILE), "/player/unblock"))
    pages = [
        admin.get("/player", id=HOSTILE),
        admin.get("/bet", provider=provider, id=HOSTILE),
        admin.get("/bets", round=HOSTILE),
        admin.get("/bets", player=HOSTILE),
        admin.get("/search", q=HOSTILE),
        admin.get("/search", q=f"{HOSTILE} not there"),
        admin.get("/statement", id=HOSTILE, currency="EUR"),
        admin.get("/session", id=hostile.session_id),
        admin.get("/session", id=HOSTILE),
        admin.get("/sessions", player=HOSTILE),
        admin.get("/provider", id=HOSTILE),
        admin.get("/providers"),
        admin.get("/house", currency=HOSTILE),
        admin.get("/audit", subject=f"player:{HOSTILE}"),
        admin.get("/audit", action=HOSTILE),
        admin.get("/players"),
        admin.get("/login", next=HOSTILE),
        admin.get("/", done=HOSTILE),
        admin.get(f"/{HOSTILE}"),
    ]
    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "49<img" not in page.text
        for tag, found in Page(page.text).elements:
            assert not [name for name in found if name.startswith("on") or name == "style"]
            assert tag not in ("style", "iframe", "object", "base")
            assert tag != "script" or found["src"].startswith("/console/static/")
    assert HOSTILE in Page(pages[0].text).text


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/player", {"id": "nobody"}, 404),
        ("/player", {}, 422),
        ("/player", {"id": "\x00"}, 422),
        ("/player", {"id": "a" * 500}, 422),
        ("/bet", {"provider": "nobody", "id": "x"}, 404),
        ("/bets", {}, 422),
        ("/bets", {"player": "nobody"}, 404),
        ("/bets", {"round": "x", "state": "odd"}, 422),
        ("/session", {"id": "x"}, 404),
        ("/provider", {"id": "x"}, 404),
        ("/audit", {"subject": "nothing"}, 422),
        ("/sessions", {"provider": "x"}, 404),
        ("/nothing", {}, 404),
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(
    operator: Person, path: str, query: dict[str, str], status: int
) -> None:
    answer = operator.get(path, **query)

    assert answer.status_code == status
    page = Page(answer.text)
    assert operator.name in page.text or status == 404
    assert [tag for tag, _ in page.elements if tag == "h1"]


def test_every_page_has_labels_landmarks_and_headings(admin: Person) -> None:
    for path in (
        "/",
        "/providers",
        "/players",
        "/sessions",
        "/queue",
        "/house",
        "/audit",
        "/ledger",
        "/users",
    ):
        page = admin.page(path)
        tags = [tag for tag, _ in page.elements]
        for landmark in ("header", "nav", "main", "footer", "h1"):
            assert tags.count(landmark) == 1, (path, landmark)
        assert tags.count("table") == tags.count("caption")
