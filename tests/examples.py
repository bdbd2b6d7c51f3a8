"""How many examples the generated tests try: a few in `make test`, more in `make test-long`."""

import os

from hypothesis import HealthCheck, settings

#: How many times as much generated tests try as in `make test`.
TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(usual: int, steps: int = 50) -> settings:
    """Settings of a generated test that tries `usual` examples in `make test`; no time limit each.

    `steps` is the length of an example of a state machine.
    """
    return settings(
        max_examples=usual * TIMES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        stateful_step_count=steps,
    )
