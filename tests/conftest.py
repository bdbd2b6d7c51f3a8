"""The order of the test files: those that take longest come first.

`make test` runs three files at a time. A long file that begins last keeps one core busy and leaves
the others idle. Many of the long ones have few tests, so that xdist's own order, by the number
of tests, would put them last: `make test` turns it off.
"""

import os

import pytest

from tests.source import ROOT

#: Files that take more than about 15 s on a busy machine, the slowest first.
SLOWEST = (
    "tests/service/failures/test_worker_faults.py",
    "tests/service/operators/test_cli.py",
    "tests/service/failures/test_server_faults.py",
    "tests/service/failures/test_network_faults.py",
    "tests/service/running/test_up.py",
    "tests/browser/test_console.py",
    "tests/crash/test_campaign.py",
    "tests/service/failures/test_failover.py",
    "tests/service/http/test_slow_clients.py",
    "tests/service/operators/test_session_open.py",
    "tests/service/audit/test_journal.py",
    "tests/service/sandbox/test_conformance.py",
    "tests/service/running/test_containers.py",
    "tests/service/wallet/test_protocol_rules_in_flight.py",
    "tests/service/running/test_shell.py",
    "tests/service/portal/test_openapi.py",
    "tests/service/failures/test_redis_lost.py",
    "tests/service/wallet/test_protocol_rules_time.py",
    "tests/service/operators/test_cash_commands.py",
    "tests/service/wallet/test_concurrency.py",
    "tests/service/wallet/test_wallet_machine.py",
    "tests/service/running/test_answer_log.py",
    "tests/service/database/test_preconditions.py",
    "tests/service/queue/test_foreign_workers.py",
    "tests/kit/test_conformance.py",
    "tests/service/portal/test_wallet_openapi.py",
    "tests/service/audit/test_verify_bets.py",
)

#: What a run of all tests leaves to `make test-long`: the beginnings of names. Name a file or a
#: folder to run it: `make test T=tests/service/bench`.
LONG = (
    "tests/crash/test_guards.py",
    "tests/service/bench/",
    "tests/service/database/test_migrating_under_load.py",
    "tests/service/failures/test_rolling_restart.py",
    "tests/service/running/test_backup_scripts.py",
    "tests/service/running/test_procfile.py",
    "tests/service/running/test_shell.py::test_everything_runs_among_modules_of_our_names",
    "tests/service/running/test_up.py::test_what_never_gets_ready_is_said_and_stopped",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slowest files first, leave all else in its order, and leave out what is `LONG`."""
    if "EXAMPLES_TIMES" not in os.environ and config.args == ["tests"]:
        left_out = [item for item in items if item.nodeid.startswith(LONG)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    order = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(ROOT).as_posix(), len(order)))
