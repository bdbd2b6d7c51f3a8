"""The report of a run: for the terminal, as JSON, and as JUnit XML."""

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from betcore_kit.conformance.case import CATEGORIES
from betcore_kit.conformance.runner import Report, Result, Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(report: Report) -> str:
    """Return a table of categories, then each case that did not pass, with its reason."""
    lines = [f"{'category':<16}{'passed':>8}{'failed':>8}{'skipped':>9}"]
    for category in CATEGORIES:
        found = [one.verdict for one in report.results if one.case.category == category]
        if found:
            numbers = [found.count(verdict) for verdict in Verdict]
            lines.append(f"{category:<16}{numbers[0]:>8}{numbers[1]:>8}{numbers[2]:>9}")
    for verdict in (Verdict.SKIPPED, Verdict.FAILED):
        for one in report.results:
            if one.verdict is verdict:
                lines += ["", f"{verdict.upper()} {one.case.id}", f"  {one.case.promise}"]
                lines.append(f"  {one.reason}")
                if verdict is Verdict.FAILED:
                    lines.append(f"  Source: PROTOCOL.md, {one.case.rule}")
    return "\n".join([*lines, "", summary(report)])


def summary(report: Report) -> str:
    """Return the result in one line."""
    counts = report.counts
    numbers = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)
    return f"{len(report.results)} cases in {report.seconds:.1f} s: {numbers}"


def as_json(report: Report) -> str:
    """Return the whole report as JSON."""
    return json.dumps(
        {
            "url": report.url,
            "began": moment(report),
            "seconds": round(report.seconds, 3),
            "ok": report.ok,
            "counts": {verdict: report.counts[verdict] for verdict in Verdict},
            "cases": [_fields(result) for result in report.results],
        },
        ensure_ascii=False,
        indent=2,
    )


def as_junit(report: Report) -> bytes:
    """Return the report as JUnit XML, one test suite per category."""
    root = ElementTree.Element("testsuites", name="betcore-kit conformance")
    for category in CATEGORIES:
        found = [one for one in report.results if one.case.category == category]
        if not found:
            continue
        verdicts = [one.verdict for one in found]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=category,
            tests=str(len(found)),
            failures=str(verdicts.count(Verdict.FAILED)),
            skipped=str(verdicts.count(Verdict.SKIPPED)),
            errors="0",
            time=f"{sum(one.seconds for one in found):.3f}",
            timestamp=moment(report),
        )
        for one in found:
            _add_case(suite, one)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def moment(report: Report) -> str:
    """Return when the run began: RFC 3339 in UTC."""
    return datetime.fromtimestamp(report.began, UTC).isoformat(timespec="seconds")


def _add_case(suite: ElementTree.Element, one: Result) -> None:
    made = ElementTree.SubElement(
        suite,
        "testcase",
        classname=one.case.category,
        name=one.case.name,
        time=f"{one.seconds:.3f}",
    )
    if one.verdict is Verdict.PASSED:
        return
    kind = "failure" if one.verdict is Verdict.FAILED else "skipped"
    told = ElementTree.SubElement(made, kind, message=_NOT_XML.sub("?", one.reason))
    lines = [one.case.promise, f"Source: PROTOCOL.md, {one.case.rule}"]
    if one.exchanges and one.verdict is Verdict.FAILED:
        last = one.exchanges[-1]
        lines += ["", "The last request:", last.request, "", "Its answer:", last.answer]
    told.text = _NOT_XML.sub("?", "\n".join(lines))


def _fields(result: Result) -> dict[str, object]:
    return {
        "id": result.case.id,
        "category": result.case.category,
        "promise": result.case.promise,
        "rule": result.case.rule,
        "verdict": result.verdict,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "exchanges": [
            {"request": one.request, "answer": one.answer, "seconds": round(one.seconds, 3)}
            for one in result.exchanges
        ],
    }
