"""The door of the console: logins, cookies, forms of other sites, roles, and headers."""

import re
from collections.abc import Iterator

import httpx
import pytest

from api.console.app import HEADERS, PLACES
from models.directory.console_users import UserRole
from tests.service.portal.person import Page, Person, logged_in, person
from tests.service.support.operator_cli import Operator
from tests.service.support.processes import PortalProcess
from tests.service.support.world import World


@pytest.fixture(scope="module")
def support(world: World, portal: PortalProcess) -> Iterator[Person]:
    with logged_in(world, portal.url, "support") as one:
        yield one


@pytest.fixture(scope="module")
def admin(world: World, portal: PortalProcess) -> Iterator[Person]:
    with logged_in(world, portal.url, "admin") as one:
        yield one


@pytest.fixture
def operator(world: World, provider_id: str) -> Operator:
    return Operator(world, provider_id)


def actions(world: World, name: str) -> list[tuple[str, str]]:
    """What the audit log has of the logins of a name: the action, and who did it."""
    query = (
        "select action, actor from audit_log where subject_table = 'login' and subject = %s"
        " order by id"
    )
    return [(action, actor) for action, actor in world.rows(query, name)]


def test_a_user_logs_in_and_out_and_the_audit_log_has_it(
    world: World, portal: PortalProcess
) -> None:
    with person(world, portal.url, "support", "198.51.100.7") as one:
        refused = one.log_in(password="wrong")
        assert refused.status_code == 401
        assert "wrong" in Page(refused.text).text
        done = one.log_in()
        assert (done.status_code, done.headers["location"]) == (303, "/console/")
        page = one.page("/")
        assert one.name in page.text

        assert one.submit(page, "/logout").headers["location"] == "/console/login"
        assert one.get("/").headers["location"].startswith("/console/login?")

        me, console = f"user:{one.name}@198.51.100.7", "console@198.51.100.7"
        assert actions(world, one.name) == [
            ("login.refused", console),
            ("login.accepted", me),
            ("login.ended", me),
        ]


def test_a_cookie_that_was_stolen_is_worth_nothing_after_the_logout(
    world: World, portal: PortalProcess
) -> None:
    with logged_in(world, portal.url, "support") as one, httpx.Client() as thief:
        stolen = one.cookies["betcore-session"]
        thief.cookies.set("betcore-session", stolen)
        assert thief.get(f"{portal.url}/console/").status_code == 200

        one.submit(one.page("/"), "/logout")

        assert thief.get(f"{portal.url}/console/").status_code == 303
        rows = world.rows("select to_jsonb(s)::text from console_session s")
        assert not [row for row in rows if stolen in row[0]]


def test_a_login_takes_no_session_that_somebody_else_chose(
    world: World, portal: PortalProcess
) -> None:
    with person(world, portal.url, "support") as one:
        one.http.cookies.set("betcore-session", "chosen", "127.0.0.1", "/console")
        assert one.log_in().status_code == 303
        given = one.cookies["betcore-session"]
        assert given != "chosen"
        first = given
        one.submit(one.page("/"), "/logout")
        one.log_in()
        assert one.cookies["betcore-session"] != first
        with httpx.Client(cookies={"betcore-session": "chosen"}) as other:
            assert other.get(f"{portal.url}/console/").status_code == 303


@pytest.mark.parametrize(
    "passed", ["expires_at = now() - interval '1 s'", "seen_at = now() - interval '31 min'"]
)
def test_a_session_ends_by_itself(world: World, portal: PortalProcess, passed: str) -> None:
    with logged_in(world, portal.url, "support") as one:
        assert one.get("/").status_code == 200
        world.execute(
            f"update console_session set {passed} from console_user u"  # noqa: S608
            " where u.id = user_id and u.name = %s",
            one.name,
        )
        assert one.get("/").status_code == 303


def test_a_user_who_is_revoked_or_gets_a_new_password_is_out_at_once(
    world: World, portal: PortalProcess, operator: Operator
) -> None:
    with logged_in(world, portal.url, "admin") as one:
        (role,) = operator.documents("console", "user", "role", one.name, "--role", "support")
        assert role["role"] == "support"
        assert one.get("/users").status_code == 403

        (made,) = operator.documents("console", "user", "password", one.name)
        assert one.get("/").status_code == 303
        assert one.log_in().status_code == 401
        one.password = made["password"]
        assert one.log_in().status_code == 303

        operator.documents("console", "user", "revoke", one.name, "--note", "left")
        assert one.get("/").status_code == 303
        assert one.log_in().status_code == 401
        assert "revoked" in operator.refusal("console", "user", "password", one.name)
        (found,) = operator.documents("console", "user", "list")
        listed = {row["name"]: row for row in found["users"]}
        assert listed[one.name]["revokedAt"]
        assert not [row for row in listed.values() if "password" in row or "hash" in row]


def test_the_command_line_refuses_what_is_no_name_or_role(operator: Operator) -> None:
    add = ("console", "user", "add")
    assert operator.refusal(*add, "ann", "--role", "root").startswith("A role is one of support")
    for bad in ("", "two words", "ü", "-a", "a" * 65):
        refusal = operator.refusal(*add, "--role", "admin", "--", bad)
        assert refusal.startswith("A user's name has")
    (made,) = operator.documents(*add, "taken", "--role", "support")
    assert made["password"]
    assert "already" in operator.refusal(*add, "taken", "--role", "support")


def test_a_role_or_password_that_nobody_gave_is_noticed(world: World, operator: Operator) -> None:
    (made,) = operator.documents("console", "user", "add", "watched", "--role", "support")
    change = "update console_user set role = %s, hash = %s where id = %s"
    ((hash_,),) = world.rows("select hash from console_user where id = %s", made["id"])

    world.execute(change, "admin", "x", made["id"])
    done = operator.run("ledger", "verify")
    world.execute(change, "support", hash_, made["id"])

    assert done.exit_code == 1
    said = f"Console user {made['id']} was changed: role is admin, but the audit log says support;"
    assert said in done.stdout + done.stderr


def test_a_form_without_the_token_of_this_login_changes_nothing(
    world: World, portal: PortalProcess, admin: Person
) -> None:
    with logged_in(world, portal.url, "admin") as other:
        foreign = other.page("/").forms["/console/logout"]["csrf"]
    for place in PLACES:
        if place.method == "POST":
            for fields in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": "ü"}):
                refused = admin.post(place.path, id="x", name="x", role="admin", **fields)
                assert refused.status_code == 403, place
                assert "not from this login" in Page(refused.text).text
    assert admin.post("/logout", csrf="").status_code == 403
    assert admin.get("/").status_code == 200
    login = httpx.post(f"{portal.url}/console/login", data={"name": "a", "password": "b"})
    assert login.status_code == 403


def test_a_get_changes_nothing_and_only_forms_are_taken(admin: Person) -> None:
    for place in PLACES:
        other = admin.post(place.path) if place.method == "GET" else admin.get(place.path)
        assert other.status_code == 405, place
    path = f"{admin.url}/console/queue/suspend"
    csrf = admin.page("/").forms["/console/logout"]["csrf"]
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json", ""):
        headers = {"Content-Type": kind}
        answer = admin.http.post(path, content=f"csrf={csrf}", headers=headers)
        assert answer.status_code == 415, kind


def test_each_role_may_do_what_its_name_says_and_no_more(
    world: World, portal: PortalProcess
) -> None:
    for role in UserRole:
        with logged_in(world, portal.url, role) as one:
            page = one.page("/")
            csrf = page.forms["/console/logout"]["csrf"]
            assert ("/console/users" in str(page.elements)) == (role == UserRole.ADMIN)
            for place in PLACES:
                if role.includes(place.role):
                    continue
                if place.method == "GET":
                    refused = one.get(place.path)
                else:
                    refused = one.post(place.path, csrf=csrf)
                assert refused.status_code == 403, (role, place)
                assert f"needs the role {place.role}" in Page(refused.text).text
    changes = {place.role for place in PLACES if place.method == "POST"}
    assert changes == {UserRole.OPERATOR, UserRole.ADMIN}


@pytest.mark.parametrize(
    "next_",
    [
        "https://evil.example/console/",
        "//evil.example/console/",
        "/\\evil.example",
        "/console/\\evil.example",
        "javascript:alert(1)",
        "/console",
        "/elsewhere/",
        "/console/\r\nSet-Cookie: a=b",
        "/console/" + "a" * 3000,
    ],
)
def test_after_a_login_nobody_is_sent_elsewhere(
    world: World, portal: PortalProcess, next_: str
) -> None:
    with person(world, portal.url, "support") as one:
        one.page("/login")
        form = one.page("/login").forms["/console/login"]
        fields = form | {"name": one.name, "password": one.password, "next": next_}
        done = one.post("/login", **fields)
        refused = done.status_code == 422 and "\r" in next_
        assert refused or done.headers["location"] == "/console/"


def test_after_a_login_the_page_that_was_asked_for_comes(
    world: World, portal: PortalProcess
) -> None:
    with person(world, portal.url, "support") as one:
        asked = one.get("/search", q="a b&c").headers["location"]
        query = httpx.URL(asked).params["next"]
        assert one.log_in(query).headers["location"] == query == "/console/search?q=a+b%26c"


def test_cookies_are_kept_from_scripts_and_from_other_sites(
    world: World, portal: PortalProcess
) -> None:
    with person(world, portal.url, "support") as one:
        done = one.log_in()
        (given,) = [c for c in done.headers.get_list("set-cookie") if "betcore-session=" in c]
        assert "HttpOnly" in given
        assert "SameSite=lax" in given
        assert "Path=/console" in given
        assert "Secure" not in given
    with person(world, portal.url, "support") as one:
        one.http.headers["X-Forwarded-Proto"] = "https"
        form = one.get("/login")
        fields = Page(form.text).forms["/console/login"]
        login = form.headers["set-cookie"].partition(";")[0]
        fields |= {"name": one.name, "password": one.password}
        done = one.http.post(f"{one.url}/console/login", data=fields, headers={"Cookie": login})
        (given,) = [c for c in done.headers.get_list("set-cookie") if "betcore-session=" in c]
        assert re.match(r"__Host-betcore-session=[\w-]+; ", given)
        assert "Secure" in given
        assert "Path=/;" in given


def test_every_answer_has_the_headers_that_protect_it(support: Person) -> None:
    static = next(a["href"] for tag, a in support.page("/").elements if tag == "link")
    answers = [
        support.get("/"),
        support.get("/nothing"),
        support.get("/bet"),
        support.get("/users"),
        support.post("/login", name="x"),
        httpx.get(f"{support.url}/console/login"),
        support.http.get(f"{support.url}{static}"),
    ]
    assert [one.status_code for one in answers] == [200, 404, 422, 403, 403, 200, 200]
    for one in answers:
        for name, value in HEADERS.items():
            if not (name == "Cache-Control" and one is answers[-1]):
                assert one.headers[name] == value
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert httpx.get(f"{support.url}/console").headers["location"] == "/console/"


def test_whoever_guesses_passwords_is_slowed_down(world: World) -> None:
    limits = {
        "BETCORE_OPERATOR_KEY_FAILURES_PER_MINUTE": "3",
        "BETCORE_TRUSTED_PROXIES": "127.0.0.1",
    }
    with PortalProcess(world.urls, **limits) as strict:
        strict.wait_ready()
        with person(world, strict.url, "support") as one:
            at = one.http.headers
            at["X-Forwarded-For"] = "198.51.100.1"
            assert one.log_in().status_code == 303
            one.submit(one.page("/"), "/logout")

            at["X-Forwarded-For"] = "198.51.100.2"  # guesses one name
            statuses = [one.log_in(password="wrong").status_code for _ in range(4)]
            assert statuses == [401] * 3 + [429]
            late = one.log_in()
            assert late.status_code == 429
            assert int(late.headers["retry-after"]) >= 1
            at["X-Forwarded-For"] = "198.51.100.3"  # the same name from elsewhere
            assert one.log_in().status_code == 429
            at["X-Forwarded-For"] = "198.51.100.1"  # where the user was before
            assert one.log_in().status_code == 303
        with person(world, strict.url, "support", "198.51.100.4") as one:
            name = one.name
            for number in range(3):  # one address guesses many names
                one.name = f"nobody-{number}"
                assert one.log_in().status_code == 401
            one.name = name
            assert one.log_in().status_code == 429
