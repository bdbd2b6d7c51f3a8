"""deploy/kubernetes: each object is valid, safe, and fits the others. Needs no cluster."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from settings import variables
from tests.source import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
BASE, OVERLAY = FOLDER / "base", FOLDER / "overlays" / "production"
JOBS = ROOT / "deploy" / "jobs"
#: Since this version, everything that the objects use is stable.
OLDEST = "1.30.0"
#: For objects that Kubernetes does not have itself: those parts of their schemas that we use.
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def only(required: str, **properties: Any) -> dict[str, Any]:
    """A schema of an object that has these properties and no other."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


ANY = {"type": "object"}
SCHEMAS = {
    "ScaledObject": only(
        "scaleTargetRef triggers",
        scaleTargetRef=only("name", name=TEXT),
        minReplicaCount=NUMBER,
        maxReplicaCount=NUMBER,
        pollingInterval=NUMBER,
        cooldownPeriod=NUMBER,
        fallback=only("failureThreshold replicas", failureThreshold=NUMBER, replicas=NUMBER),
        advanced=only("", horizontalPodAutoscalerConfig=only("", behavior=ANY)),
        triggers={
            "type": "array",
            "items": only(
                "type metadata",
                type={"const": "prometheus"},
                metricType={"enum": ["Value", "AverageValue"]},
                metadata=only(
                    "serverAddress query threshold", serverAddress=TEXT, query=TEXT, threshold=TEXT
                ),
            ),
        },
    ),
    "PodMonitor": only(
        "selector podMetricsEndpoints",
        jobLabel=TEXT,
        selector=ANY,
        podMetricsEndpoints={
            "type": "array",
            "items": only("port", port=TEXT, interval=TEXT),
        },
    ),
}


@cache
def objects() -> list[dict[str, Any]]:
    """Every object that kustomize would make from files, without its changes to them."""
    return [one for folder in (BASE, OVERLAY) for one in _resources(folder)]


def _resources(folder: Path) -> Iterator[dict[str, Any]]:
    for name in kustomization(folder)["resources"]:
        if name.endswith(".yaml"):
            yield from yaml.safe_load_all((folder / name).read_text())


def kustomization(folder: Path) -> dict[str, Any]:
    """kustomization.yaml of a folder."""
    loaded = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of one kind, by name."""
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """The template of every pod, by the name of what makes the pods."""
    found = {}
    for one in objects():
        spec = one.get("spec", {})
        if one["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            found[one["metadata"]["name"]] = spec["template"]
    return found


PODS = sorted(pods())
SERVING = {"gateway", "worker", "portal"}


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_object_is_valid_and_has_no_unknown_field(version: str) -> None:
    for one in objects():
        if one["kind"] not in SCHEMAS:
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_object_of_an_extension_has_the_fields_that_it_needs_and_no_unknown_one(
    kind: str,
) -> None:
    assert named(kind)
    for one in named(kind).values():
        jsonschema.validate(one["spec"], SCHEMAS[kind])


@pytest.mark.parametrize("folder", [BASE, OVERLAY, JOBS])
def test_a_kustomization_names_every_file_of_its_folder_and_no_other(folder: Path) -> None:
    about = kustomization(folder)
    there = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
    mentioned = set(about.get("resources", ()))
    for generator in about.get("configMapGenerator", ()):
        mentioned |= set(generator.get("files", ()))

    files = {name for name in mentioned if "/" not in name}

    assert files <= there
    assert there - files <= {"daily.sh"}  # of docker-compose.yml; Kubernetes has CronJobs
    for name in mentioned - files:
        assert (folder / name / "kustomization.yaml").resolve().is_file()


def test_the_overlay_patches_what_is_there() -> None:
    for patch in kustomization(OVERLAY)["patches"]:
        (target,) = [
            one
            for one in objects()
            if (one["kind"], one["metadata"]["name"]) == tuple(patch["target"].values())
        ]
        for operation in yaml.safe_load(patch["patch"]):
            *path, last = operation["path"].strip("/").split("/")
            place: Any = target
            for step in path:
                place = place[int(step) if step.isdigit() else step]
            assert (last in place) == (operation["op"] == "replace")


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_as_restricted_as_kubernetes_can_make_it(name: str) -> None:
    spec = pods()[name]["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]["cpu"]
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", PODS)
def test_every_pod_reads_its_secrets_from_files(name: str) -> None:
    spec = pods()[name]["spec"]
    (container,) = spec["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}

    assert set(mounts) == {volume["name"] for volume in spec["volumes"]}
    for one in container["env"]:
        if one["name"].startswith(("BETCORE_", "DATABASE_", "REDIS_")):
            assert one["name"].removesuffix("_FILE") in variables()
        if one["name"].endswith("_FILE"):
            assert one["value"].startswith(mounts["secrets"] + "/")
        else:
            assert not any(word in one["name"] for word in ("KEY", "PASSWORD"))


def test_the_documented_secrets_are_those_that_pods_read() -> None:
    text = (ROOT / "docs" / "OPERATIONS.md").read_text()
    table = text.partition("| Secret | keys |")[2].partition("```")[0]
    rows = [re.findall(r"`([a-z-]+)`", line) for line in table.splitlines() if "`" in line]
    documented = {name: set(keys) - {"replication"} for name, *keys in rows}

    read: dict[str, set[str]] = {}
    for template in pods().values():
        spec = template["spec"]
        (of_pod,) = [one["secret"]["secretName"] for one in spec["volumes"] if "secret" in one]
        for variable in spec["containers"][0]["env"]:
            if variable["name"].endswith("_FILE"):
                read.setdefault(of_pod, set()).add(Path(variable["value"]).name)
            elif "valueFrom" in variable:
                other = variable["valueFrom"]["secretKeyRef"]
                read.setdefault(other["name"], set()).add(other["key"])

    assert documented == read


def test_every_claim_and_every_generated_map_exists() -> None:
    claims = set(named("PersistentVolumeClaim"))
    maps = {
        generator["name"]
        for folder in (BASE, JOBS)
        for generator in kustomization(folder)["configMapGenerator"]
    }

    for template in pods().values():
        for volume in template["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps


def test_what_selects_pods_selects_some() -> None:
    labels = [template["metadata"]["labels"] for template in pods().values()]

    def chosen(selector: dict[str, Any]) -> int:
        return sum(selector.items() <= of_pod.items() for of_pod in labels)

    for kind in ("Deployment", "PodDisruptionBudget"):
        for one in named(kind).values():
            assert chosen(one["spec"]["selector"]["matchLabels"]) == 1
    for one in named("Service").values():
        assert chosen(one["spec"]["selector"]) == 1


def test_gateways_workers_and_portal_survive_the_loss_of_a_node() -> None:
    kept = {*named("PodDisruptionBudget")}
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for one in named(kind).values()
    }

    assert kept == SERVING
    assert set(named("Deployment")) == SERVING | {"operator"}
    assert named("Deployment")["operator"]["spec"]["replicas"] == 0  # it has every key
    assert scaled["gateway"]["minReplicas"] >= 2
    assert scaled["worker"]["minReplicaCount"] >= 2
    assert named("Deployment")["portal"]["spec"]["replicas"] >= 2
    for name in scaled:  # otherwise each `kubectl apply` would undo what the autoscaler did
        assert "replicas" not in named("Deployment")[name]["spec"]


def test_a_pod_gets_more_time_to_end_than_its_process_takes() -> None:
    for name in SERVING:
        spec = pods()[name]["spec"]
        (container,) = spec["containers"]
        waits = container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
        before = int(waits.get("command", [0])[-1])

        assert spec["terminationGracePeriodSeconds"] - before > 10


def test_health_is_asked_where_the_processes_answer() -> None:
    for name in ("gateway", "portal"):
        (container,) = pods()[name]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    (worker,) = pods()["worker"]["spec"]["containers"]
    assert worker["readinessProbe"]["exec"]["command"] == ["betcore", "healthy", "worker"]
    assert "livenessProbe" not in worker


def test_every_policy_names_pods_that_exist_and_nothing_is_allowed_without_one() -> None:
    names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods().values()}
    reaches = {
        policy["metadata"]["name"]: set(expression["values"])
        for policy in named("NetworkPolicy").values()
        for expression in policy["spec"]["podSelector"].get("matchExpressions", ())
    }

    assert named("NetworkPolicy")["nothing-else"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert reaches == {
        "postgres": names,
        "redis": SERVING | {"operator"},
        "metrics": SERVING,
    }
