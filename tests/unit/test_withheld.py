"""What `betcore up` withholds from a child, the child gets in no other form either."""

from ops.process.signals import Signals
from ops.process.supervisor import Role, Supervisor

_ENVIRONMENT = {
    "BETCORE_JOURNAL_KEY": "k",
    "BETCORE_JOURNAL_KEY_FILE": "f",
    "DATABASE_URL_FILE": "f",
    "BETCORE_ACTOR_FILE": "f",
}


def test_a_file_with_a_withheld_or_replaced_value_is_not_named_to_the_child() -> None:
    role = Role(
        *("worker", "worker-1", lambda _: ["settings"], 1),
        withheld=frozenset({"BETCORE_JOURNAL_KEY"}),
        given={"DATABASE_URL": "u"},
    )
    child = Supervisor([role], _ENVIRONMENT, Signals()).children[0]

    assert child._environment == {"BETCORE_ACTOR_FILE": "f", "DATABASE_URL": "u"}
