"""The users of the console, for administrators."""

from api.console.visit import Go, View, Visit
from api.shared.problems import Problem
from models.directory.console_users import (
    UserRole,
    add_user,
    list_users,
    new_password,
    revoke_user,
    set_role,
)


def users(visit: Visit) -> View:
    """All users that ever were."""
    return _shown(visit)


def add(visit: Visit) -> View:
    """Add a user, and show the password this once."""
    with visit.changing(visit.note) as database:
        added, made = add_user(database, visit.text("name"), visit.text("role"))
    return _shown(visit, added.name, made)


def password(visit: Visit) -> View:
    """Give a user a new password, and show it this once."""
    with visit.changing(visit.note) as database:
        changed, made = new_password(database, _other(visit))
    return _shown(visit, changed.name, made)


def role(visit: Visit) -> Go:
    """Give a user another role."""
    with visit.changing(visit.note) as database:
        set_role(database, _other(visit), visit.text("role"))
    return Go("/users", done="role")


def revoke(visit: Visit) -> Go:
    """Let a user do nothing any more."""
    with visit.changing(visit.note) as database:
        revoke_user(database, _other(visit))
    return Go("/users", done="ended")


def _other(visit: Visit) -> str:
    """The name of another user, so that nobody locks out themselves. Raises Problem."""
    name = visit.text("name")
    if name == visit.user.name:
        raise Problem(
            409, "yourself", "You cannot change yourself here: use `betcore console user`."
        )
    return name


def _shown(visit: Visit, name: str = "", made: str = "") -> View:
    with visit.reading() as database:
        found = list_users(database)
    return View("users", {"users": found, "roles": list(UserRole), "name": name, "made": made})
