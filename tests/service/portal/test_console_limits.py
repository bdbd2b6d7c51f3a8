"""What a provider may do, edited in the console by the functions of the operator API."""

from collections.abc import Iterator

import pytest

from tests.service.portal.person import Page, Person, logged_in
from tests.service.support.processes import PortalProcess
from tests.service.support.world import World


@pytest.fixture(scope="module")
def operator(world: World, portal: PortalProcess) -> Iterator[Person]:
    with logged_in(world, portal.url, "operator") as one:
        yield one


def submit(
    operator: Person, provider: str, action: str, **fields: str
) -> tuple[int, Page, Page | None]:
    """Status and page of the answer to a form, and the page to which it leads."""
    page = operator.page("/provider", id=provider)
    csrf = page.forms["/console/logout"]["csrf"]
    answer = operator.post(action, csrf=csrf, id=provider, **fields)
    follow = None
    if answer.status_code == 303:
        follow = operator.page(answer.headers["location"].removeprefix("/console"))
    return answer.status_code, Page(answer.text), follow


def test_limits_are_set_and_taken_away_and_the_audit_log_has_the_reason(
    world: World, operator: Person
) -> None:
    provider = world.provider().counterparty_id
    steps = (
        ("/provider/rate", {"rate": "250", "note": "as agreed"}, "250"),
        ("/provider/wins", {"currency": "EUR", "maxWin": "500", "maxDailyWin": "9e3"}, "9000"),
        ("/provider/wins", {"currency": "SEK", "maxWin": "0.5", "maxDailyWin": ""}, "0.5"),
        ("/provider/allow-list", {"networks": "192.0.2.7, 2001:db8::/32"}, "192.0.2.7/32, 2001:"),
    )
    for action, fields, shown in steps:
        status, _, page = submit(operator, provider, action, **fields)
        assert status == 303
        assert page is not None
        assert shown in page.text
    row = "select rate_max, networks from provider where counterparty_id = %s"
    wins = (
        "select currency, trim_scale(max_win)::text, trim_scale(max_daily_win)::text from account a"
        " join provider p on p.id = a.provider_id where counterparty_id = %s order by currency"
    )
    assert world.rows(row, provider) == [(250, ["192.0.2.7/32", "2001:db8::/32"])]
    assert world.rows(wins, provider) == [("EUR", "500", "9000"), ("SEK", "0.5", None)]

    for action, fields in (
        ("/provider/rate", {"rate": ""}),
        ("/provider/wins", {"listed": "EUR", "currency": "EUR", "maxWin": "", "maxDailyWin": "1"}),
        ("/provider/allow-list", {"networks": ""}),
    ):
        assert submit(operator, provider, action, **fields)[0] == 303
    assert world.rows(row, provider) == [(None, None)]
    assert world.rows(wins, provider)[0] == ("EUR", None, "1")
    notes = "select action, note from audit_log where actor = %s order by id"
    assert ("provider.limits", "as agreed") in world.rows(notes, f"user:{operator.name}@127.0.0.1")


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        ("/provider/rate", {"rate": "0"}, "rate is a whole number"),
        ("/provider/rate", {"rate": "-1"}, "rate is a whole number"),
        ("/provider/rate", {"rate": "many"}, "rate is a whole number"),
        ("/provider/rate", {"rate": "1000001"}, "rate is a whole number"),
        ("/provider/rate", {"rate": "5", "note": "x" * 501}, "note"),
        ("/provider/wins", {"currency": "EUR", "maxWin": "lots"}, "The limit"),
        ("/provider/wins", {"currency": "EUR", "maxWin": "0.001"}, "decimals"),
        ("/provider/wins", {"currency": "EUR", "maxDailyWin": "-1"}, "limit"),
        ("/provider/wins", {"currency": "EUR", "maxWin": "1e15"}, "10^15"),
        ("/provider/wins", {"currency": "nothing", "maxWin": "1"}, "nothing"),
        ("/provider/wins", {"maxWin": "1"}, "currency"),
        ("/provider/allow-list", {"networks": "192.0.2.0/24 <b>here</b>"}, "<b>here</b>"),
        ("/provider/allow-list", {"networks": "192.0.2.1/24"}, "192.0.2.1/24"),
        (
            "/provider/allow-list",
            {"networks": " ".join(["192.0.2.0/24"] * 3 + ["::ffff:0:0/96"])},
            "IPv4",
        ),
    ],
)
def test_what_cannot_be_set_is_said_beside_the_form_and_changes_nothing(
    world: World, operator: Person, action: str, fields: dict[str, str], said: str
) -> None:
    provider = world.provider().counterparty_id

    status, page, _ = submit(operator, provider, action, **fields)

    assert status == 422
    assert said in page.text
    opened = [found for tag, found in page.elements if tag == "details" and "open" in found]
    assert len(opened) == 1
    typed = {found.get("value") for tag, found in page.elements if tag == "input"}
    for name, value in fields.items():
        assert name == "note" or value in typed, name
    row = "select rate_max, networks from provider where counterparty_id = %s"
    assert world.rows(row, provider) == [(None, None)]
    limits = (
        "select count(*) from account a join provider p on p.id = a.provider_id"
        " where counterparty_id = %s and coalesce(max_win, max_daily_win) is not null"
    )
    assert world.rows(limits, provider) == [(0,)]


def test_support_sees_limits_and_cannot_change_them(world: World, portal: PortalProcess) -> None:
    provider = world.provider().counterparty_id
    with logged_in(world, portal.url, "support") as one:
        page = one.page("/provider", id=provider)
        assert not [action for action in page.forms if "/provider/" in action]
        for action in ("/provider/rate", "/provider/wins", "/provider/allow-list"):
            assert submit(one, provider, action, rate="5", currency="EUR")[0] == 403


def test_a_provider_that_does_not_exist_is_no_form(operator: Person) -> None:
    csrf = operator.page("/").forms["/console/logout"]["csrf"]
    for action in ("/provider/rate", "/provider/wins", "/provider/allow-list"):
        assert operator.post(action, csrf=csrf, id="nobody", currency="EUR").status_code == 404
        assert operator.post(action, id="nobody").status_code == 403
