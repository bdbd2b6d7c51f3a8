"""rq-dashboard's Flask application, with limits on what it may do and what its pages may run."""

import secrets
from typing import Any

import redis.exceptions
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from jinja2 import BaseLoader
from rq.exceptions import NoSuchJobError
from rq.queue import Queue
from rq_dashboard import web
from werkzeug.exceptions import Forbidden, HTTPException, NotFound

from ops.dashboard.cures import QUEUED, REGISTRIES
from ops.dashboard.notices import notices
from ops.dashboard.pages import CuredTemplates
from ops.dashboard.reading import ReadOnlyRedis

POLL_MILLISECONDS = 2_000  # how often an open page reloads its data
JOBS_PER_PAGE_MAX = 200
NOTICES_PATH = "/notices.json"
# rq-dashboard requeues all failed jobs of a queue on GET too.
REQUEUE_ALL = "rq_dashboard.requeue_all"

# 'unsafe-eval': Underscore compiles the pages' templates with `new Function`. A script that already
# runs can therefore turn a string into code. Markup still cannot become a script, as it could with
# an inline handler or a <script> without the nonce. Attributes: Bootstrap's pages have style="…".
PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'unsafe-eval'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class DashboardApp(Flask):
    """rq-dashboard on one Redis client. It shows everything and changes nothing."""

    def __init__(self, client: ReadOnlyRedis, queue: str = "bets") -> None:
        """Every page shows what is wrong with the queue named `queue`."""
        # No static folder of its own: it would hide rq-dashboard's folder at the same path.
        super().__init__(__name__, static_folder=None)
        self.redis_conn = client  # rq-dashboard's name for it
        self._queue = queue
        self.config.update(
            RQ_DASHBOARD_REDIS_URL=[_shown_address(client)],
            RQ_DASHBOARD_POLL_INTERVAL=POLL_MILLISECONDS,
            RQ_DASHBOARD_DISABLE_DELETE=True,
        )

        self.register_blueprint(web.blueprint, url_prefix="")
        # rq-dashboard's function opened a new Redis connection for every request, and put it where
        # all threads see it. It took the number in the path for a server's index. `_admit` accepts
        # only 0.
        self.before_request_funcs.pop(web.blueprint.name)
        self.add_url_rule(NOTICES_PATH, view_func=self._show_notices)
        self.before_request(self._admit)
        self.context_processor(lambda: {"nonce": g.nonce, "notices": self._notices})
        self.after_request(_add_page_policy)
        self.register_error_handler(HTTPException, _http_error)
        self.register_error_handler(NoSuchJobError, _no_such_job)
        self.register_error_handler(redis.exceptions.RedisError, self._redis_error)

    # Flask names its own loader class, and needs no more than this one.
    def create_global_jinja_loader(self) -> BaseLoader:  # type: ignore[override]
        return CuredTemplates(self)

    def _admit(self) -> None:
        """Accept or refuse a request before its view. Every request passes here first."""
        g.nonce = secrets.token_urlsafe(16)
        if request.method not in ("GET", "HEAD", "OPTIONS") or request.endpoint == REQUEUE_ALL:
            raise Forbidden("The dashboard changes nothing: use `betcore queue`.")
        self._check_path(request.view_args or {})

    def _check_path(self, args: dict[str, Any]) -> None:
        """Answer 404 where rq-dashboard would answer 500, and for pages too large to read."""
        try:
            right = (
                args.get("instance_number", 0) == 0
                and args.get("registry_name", QUEUED) in (QUEUED, *REGISTRIES)
                and args.get("order", "asc") in ("asc", "dsc")
                and 1 <= int(args.get("per_page", 1)) <= JOBS_PER_PAGE_MAX
                and int(args.get("page", 1)) >= 1
            )
        except ValueError:
            right = False
        if not right:
            raise NotFound
        if "queue_name" in args and args["queue_name"] is None:
            # The tab "Jobs" would show RQ's queue `default`, which need not exist.
            names = sorted(queue.name for queue in Queue.all(connection=self.redis_conn))
            args["queue_name"] = names[0] if names else "default"

    def _notices(self) -> list[str]:
        return notices(self.redis_conn, self._queue)

    def _show_notices(self) -> ResponseReturnValue:
        return jsonify(notices=self._notices())

    def _redis_error(self, error: redis.exceptions.RedisError) -> Response:
        # Only the name of the error is logged: its text may hold the address and the user.
        self.logger.warning("Redis: %s at %s", type(error).__name__, request.endpoint)
        return _say(503, "Redis does not answer. This page tries again by itself.")


def _add_page_policy(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = PAGE_POLICY.format(nonce=g.nonce)
    return response


def _http_error(error: HTTPException) -> Response:
    response = _say(error.code or 500, error.description or error.name)
    response.headers.extend(h for h in error.get_headers() if h[0] == "Allow")
    return response


def _no_such_job(_: NoSuchJobError) -> Response:
    return _say(404, "There is no such job, or it has been removed.")


def _say(status: int, text: str) -> Response:
    """Return an error as the client can show it: JSON for the pages' scripts, otherwise HTML."""
    if request.method == "POST" or request.path.endswith(".json"):
        return make_response(jsonify(error=text), status)
    page = render_template("dashboard_error.html", text=text, status=status)
    return make_response(page, status)


def _shown_address(client: ReadOnlyRedis) -> str:
    """Return Redis's address for the pages' head. It is built from parts, so it has no password."""
    where = client.connection_pool.connection_kwargs
    server = where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}"
    return f"{server}/{where.get('db') or 0}"
