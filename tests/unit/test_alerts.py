"""Alerts and dashboard: their queries can be read, and use what docs/METRICS.md promises."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from tests.source import ROOT

DEPLOY = ROOT / "deploy"
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "betcore.json").read_text())
METRICS = (ROOT / "docs" / "METRICS.md").read_text()
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()
#: Prometheus itself makes these.
OWN_OF_PROMETHEUS = {"up": {"job", "instance"}}
TARGET = {"job", "instance"}


def documented() -> dict[str, set[str]]:
    """Every series of METRICS.md with its labels."""
    found: dict[str, set[str]] = dict(OWN_OF_PROMETHEUS)
    row = r"^\| `(betcore_\w+)` \| (\w+) \| [^|]+ \| ([^|]*)\|"
    for name, kind, labels in re.findall(row, METRICS, re.MULTILINE):
        own = set(re.findall(r"`(\w+)`", labels)) | TARGET
        if kind == "histogram":
            found |= {f"{name}_bucket": own | {"le"}, f"{name}_sum": own, f"{name}_count": own}
        else:
            assert kind in ("counter", "gauge")
            assert (kind == "counter") == name.endswith("_total")
            found[name] = own
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Every panel of the dashboard that asks something."""
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def queries() -> dict[str, str]:
    """Every query of ours, by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in RULES}
    for panel in panels():
        for target in panel["targets"]:
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    worker = (DEPLOY / "kubernetes" / "base" / "worker.yaml").read_text()
    for document in yaml.safe_load_all(worker):
        for trigger in document["spec"].get("triggers", ()):
            found["scaling of workers"] = trigger["metadata"]["query"]
    return found


def selectors(node: Any) -> Iterator[Any]:
    """Every selector of series in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "vector_selector"):
        if (child := getattr(node, part, None)) is not None:
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)


@pytest.mark.parametrize("where", queries())
def test_a_query_uses_only_metrics_and_labels_that_are_documented(where: str) -> None:
    query = queries()[where]
    found = list(selectors(promql_parser.parse(query)))
    known = documented()

    assert found
    for selector in found:
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert selector.name in known, selector.name
        assert labels <= known[selector.name]
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", query)
    for name in {name.strip() for one in grouped for name in one.split(",")}:
        assert all(name in known[selector.name] for selector in found), name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_where_its_cure_stands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    section = runbooks()[rule["annotations"]["runbook"]]
    assert f"`{rule['alert']}`" in section
    for part in ("**Cause.**", "**Look at.**", "**Cure.**"):
        assert part in section, part


def test_every_section_of_the_alerts_belongs_to_one() -> None:
    assert set(runbooks()) == {rule["annotations"]["runbook"] for rule in RULES}


def test_no_two_alerts_have_one_name() -> None:
    names = [rule["alert"] for rule in RULES]

    assert len(set(names)) == len(names)


def runbooks() -> dict[str, str]:
    """The sections under "Alerts" of OPERATIONS.md, by their anchor."""
    _, _, after = OPERATIONS.partition("\n## Alerts\n")
    alerts = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    sections = re.split(r"^### ", alerts, flags=re.MULTILINE)[1:]
    titled = (section.partition("\n") for section in sections)
    return {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-"): text for title, _, text in titled
    }


def test_every_documented_metric_is_on_the_dashboard() -> None:
    shown = "\n".join(queries()[where] for where in queries() if where.startswith("panel"))

    names = re.findall(r"^\| `(betcore_\w+)`", METRICS, re.MULTILINE)

    assert len(names) == 25
    assert [name for name in names if name not in shown] == []


def test_the_dashboard_asks_the_source_that_compose_provides() -> None:
    provisioned = DEPLOY / "grafana" / "provisioning" / "datasources" / "betcore.yml"
    (source,) = yaml.safe_load(provisioned.read_text())["datasources"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]

    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("name", ["prometheus.yml", "compose.yml"])
def test_prometheus_reads_the_rules_and_finds_the_processes(name: str) -> None:
    found = yaml.safe_load((DEPLOY / "prometheus" / name).read_text())

    (job,) = found["scrape_configs"]

    assert found["rule_files"] == ["rules.yml"]
    assert job["job_name"] == "betcore"  # the alerts ask for it
    if name == "compose.yml":
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        (asked,) = job["dns_sd_configs"]
        assert set(asked["names"]) == {"gateway", "worker", "portal"} <= set(services)
    else:
        assert job["file_sd_configs"][0]["files"] == ["metrics-targets.json"]
