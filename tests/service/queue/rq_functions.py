"""Functions that a stock RQ worker can run: jobs of the form of ours, without a ledger."""

from typing import Any

from rq import get_current_job

#: A list on which `wait_and_answer` waits for one item.
GATE = "test:gate"


def wait_and_answer(values: dict[str, Any], reply_to: str) -> dict[str, Any]:  # noqa: ARG001
    """Wait until the test opens the gate, then answer as a ledger would."""
    job = get_current_job()
    assert job is not None
    assert job.connection.blpop([GATE], 10)
    return {"code": 1, "balance": "9", "ids": ["1", "2"]}


def fail(values: dict[str, Any], reply_to: str) -> None:
    """Fail."""
    raise RuntimeError(f"cannot do {values} for {reply_to}")
