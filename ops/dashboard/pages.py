"""Fixes rq-dashboard's templates. Above all, some of them let a job run a script.

The templates stay in its package. Each fix replaces a text of the pinned version, 0.9.0.
"""

from collections.abc import Callable
from typing import Final

from flask.templating import DispatchingJinjaLoader
from jinja2 import Environment, TemplateError

PREFIX: Final = "rq_dashboard/"

CURES: Final[dict[str, list[tuple[str, str]]]] = {
    "base.html": [
        # The application has no static folder of its own to find it in.
        ("url_for('static', filename='favicon.ico')", "url_for('.static', filename='favicon.ico')"),
        # Shows what is wrong with the queue above everything else.
        (
            '{% include "rq_dashboard/navbar.html" %}',
            '{% include "dashboard_notices.html" %}{% include "rq_dashboard/navbar.html" %}',
        ),
        # Our script keeps the notices up to date, and reports errors.
        (
            '{% include "rq_dashboard/inline_js.html" %}',
            '{% include "dashboard.js" %}{% include "rq_dashboard/inline_js.html" %}',
        ),
    ],
    "jobs.html": [
        # Escaped by hand: the rule for every `<%=` below would escape it twice.
        ("<%= $('<div/>').text(d.description).html() %>", "<%- d.description %>"),
        ("<%= $('<div/>').text(d.exc_info).html() %>", "<%- d.exc_info %>"),
        # The dashboard changes nothing. Instead of the buttons it shows the command.
        (
            (
                """<a href="{{ url_for('rq_dashboard.requeue_all', queue_name=queue.name) }}" """
                """id="requeue-all-btn" class="btn btn-outline-warning btn-sm"
            style="float: right; margin-right: 8px;">Requeue All</a>"""
            ),
            '<code style="float: right">betcore queue requeue --all</code>',
        ),
        (
            (
                '<a href="#" data-role="requeue-job-btn" '
                'class="btn btn-outline-warning btn-sm btn-block">Requeue</a>'
            ),
            "<code>betcore queue requeue <%= d.id %></code>",
        ),
        # The button "Compact", which `RQ_DASHBOARD_DISABLE_DELETE` does not remove.
        ("{% if registry_name == 'queued' %}\n        <a", "{% if false %}\n        <a"),
        # The page said so of every registry.
        ("contains all the queued jobs on queue", "contains the {{ registry_name }} jobs of queue"),
    ],
    "job.html": [
        (
            (
                '<button id="requeue-job-btn" class="btn btn-outline-warning btn-sm" '
                'style="display: none">Requeue</button>'
            ),
            "",
        ),
        (
            "<p><strong>Status</strong>:<br><%= d.status %></p>",
            (
                "<p><strong>Status</strong>:<br><%= d.status %></p>"
                '<% if (d.status === "failed") { %>'
                "<p><code>betcore queue requeue <%= d.id %></code></p><% } %>"
            ),
        ),
    ],
    "scripts/jobs.js": [
        # Jinja escapes nothing in a .js file. A link to a queue named `');…` ran the rest as code.
        ("'{{ queue.name }}'", "{{ queue.name|tojson }}"),
    ],
    "scripts/job.js": [
        # After one failed request it never asked again.
        ("if (err) {\n                return;", "if (err) {\n                return done();"),
    ],
}

# This is in every page. Underscore writes `<%= %>` unescaped and `<%- %>` escaped. That matters for
# descriptions, results, exception texts, and names of queues and workers. Only scripts with the
# answer's nonce run (app.PAGE_POLICY). `<script type="text/template">` does not run and needs none.
IN_EVERY_PAGE: Final = [
    ("<%=", "<%-"),
    ("<script src=", '<script nonce="{{ nonce }}" src='),
    ('<script type="text/javascript"', '<script nonce="{{ nonce }}" type="text/javascript"'),
]


class CuredTemplates(DispatchingJinjaLoader):
    """Flask's loader of templates, which fixes those of rq-dashboard."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return the source of one template.

        Raises jinja2.TemplateError if a fix finds nothing to replace. A missing page is better than
        one that still has the fault in another wording.
        """
        source, path, is_fresh = super().get_source(environment, template)
        if not template.startswith(PREFIX):
            return source, path, is_fresh

        for fault, right in CURES.get(template.removeprefix(PREFIX), []):
            if fault not in source:
                raise TemplateError(f"{template} is not that of rq-dashboard 0.9.0: no {fault!r}")
            source = source.replace(fault, right)
        if template.endswith(".html"):
            for fault, right in IN_EVERY_PAGE:
                source = source.replace(fault, right)
        return source, path, is_fresh
