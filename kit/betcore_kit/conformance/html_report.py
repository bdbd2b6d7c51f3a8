"""The report as one HTML file that loads nothing else: no script, no image, no font."""

from html import escape

from betcore_kit.conformance.case import CATEGORIES
from betcore_kit.conformance.reports import moment, summary
from betcore_kit.conformance.runner import Report, Result, Verdict

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --passed: #187a3c; --failed: #c02020;
  --skipped: #8a6100; --page: #fff; --text: #1b1f24; --soft: #8881 }
@media (prefers-color-scheme: dark) { :root { --passed: #4cc27a; --failed: #ff7b72;
  --skipped: #e3b341; --page: #14171b; --text: #e6e6e6 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1.5rem;
  background: var(--page); color: var(--text) }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .9rem; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left }
details { border-bottom: 1px solid var(--line) }
summary { cursor: pointer; padding: .45rem .25rem; display: flex; gap: .75rem }
summary:hover { background: var(--soft) }
summary .promise { flex: 1 } summary .seconds { opacity: .7 }
.verdict { font-weight: 600; min-width: 5rem }
.passed { color: var(--passed) } .passed::before { content: "\\2713\\a0" }
.failed { color: var(--failed) } .failed::before { content: "\\2717\\a0" }
.skipped { color: var(--skipped) } .skipped::before { content: "\\2013\\a0" }
.body { padding: 0 .25rem 1rem 1.5rem }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .75rem }
pre { background: var(--soft); padding: .6rem; overflow: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: 12.5px; margin: .25rem 0; max-height: 24rem }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def as_html(report: Report) -> str:
    """Return the report as a page: totals, then each case with its requests and answers."""
    verdict = "passed" if report.ok else "failed"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Conformance: {verdict}</title><style>{_STYLE}</style></head><body><main>",
        f'<h1>Conformance of {escape(report.url)}: <span class="{verdict}">{verdict}</span></h1>',
        f"<p>{escape(summary(report))}, begun at {escape(moment(report))}</p>",
        _totals(report),
    ]
    for category in CATEGORIES:
        found = [one for one in report.results if one.case.category == category]
        if found:
            parts.append(f'<section id="{category}"><h2>{category}</h2>')
            parts += [_case(one) for one in found]
            parts.append("</section>")
    return "".join([*parts, "</main></body></html>\n"])


def _totals(report: Report) -> str:
    rows = []
    for category in CATEGORIES:
        found = [one.verdict for one in report.results if one.case.category == category]
        if found:
            numbers = "".join(f"<td>{found.count(verdict)}</td>" for verdict in Verdict)
            rows.append(f'<tr><td><a href="#{category}">{category}</a></td>{numbers}</tr>')
    heads = "".join(f'<th scope="col">{verdict}</th>' for verdict in Verdict)
    return f'<table><tr><th scope="col">category</th>{heads}</tr>{"".join(rows)}</table>'


def _case(one: Result) -> str:
    is_open = " open" if one.verdict is Verdict.FAILED else ""
    reason = f'<p class="{one.verdict}"> {escape(one.reason)}</p>' if one.reason else ""
    pairs = "".join(
        f'<div class="pair"><div>request<pre>{escape(exchange.request)}</pre></div>'
        f"<div>answer, after {exchange.seconds:.3f} s<pre>{escape(exchange.answer)}</pre>"
        "</div></div>"
        for exchange in one.exchanges
    )
    return (
        f'<details{is_open}><summary><span class="verdict {one.verdict}">{one.verdict}</span>'
        f'<span class="promise">{escape(one.case.promise)}</span>'
        f'<span class="seconds">{one.seconds:.2f} s</span></summary><div class="body">'
        f"<p><code>{escape(one.case.id)}</code>, PROTOCOL.md: {escape(one.case.rule)}</p>"
        f"{reason}{pairs}</div></details>"
    )
