"""The RQ dashboard for operators: rq-dashboard behind a login, read only, and fit for our jobs."""

from ops.dashboard.web import DashboardError, create_app, serve

__all__ = ["DashboardError", "create_app", "serve"]
