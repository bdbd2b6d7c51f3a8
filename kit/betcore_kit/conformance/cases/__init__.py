"""The cases, one module per category. Importing this package registers all of them."""

from betcore_kit.conformance.cases import (
    authentication,
    concurrency,
    errors,
    exactness,
    http,
    idempotency,
    limits,
    order,
    refunds,
    rounds,
    sessions,
    timing,
)

__all__ = [
    "authentication",
    "concurrency",
    "errors",
    "exactness",
    "http",
    "idempotency",
    "limits",
    "order",
    "refunds",
    "rounds",
    "sessions",
    "timing",
]
