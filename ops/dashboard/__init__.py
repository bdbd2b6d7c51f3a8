"""The RQ dashboard for operators: rq-dashboard behind a login, right with our jobs, read only."""

from ops.dashboard.serving import DashboardError, create_app, serve

__all__ = ["DashboardError", "create_app", "serve"]
