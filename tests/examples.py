"""How many examples the generated tests try: a few in `make test`, more in `make test-long`."""

import os

from hypothesis import HealthCheck, settings


def examples(usual: int, **more: int) -> settings:
    """Settings of a generated test that tries `usual` examples in `make test`; no time limit each.

    `EXAMPLES_TIMES` multiplies them; `more` are other settings of Hypothesis.
    """
    return settings(
        max_examples=usual * int(os.environ.get("EXAMPLES_TIMES", "1")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
