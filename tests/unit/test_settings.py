"""What the environment may have: a setting, a variable of Kubernetes, or a reported mistake."""

import logging
import os
from collections.abc import Iterator

import pytest

from settings import BadSettings, Settings, known, misspelt, settings, variables

# What Kubernetes sets for a Service of this name with one port.
SERVICES = ("BETCORE", *(f"BETCORE_{n}" for n in ("GATEWAY", "WORKER", "DASHBOARD", "REDIS_1")))


def of_kubernetes(service: str) -> dict[str, str]:
    """The variables that Kubernetes sets for a Service, 8000 being its port of the name `http`."""
    port = f"{service}_PORT_8000_TCP"
    return {
        f"{service}_SERVICE_HOST": "10.43.0.7",
        f"{service}_SERVICE_PORT": "8000",
        f"{service}_SERVICE_PORT_HTTP": "8000",
        f"{service}_PORT": "tcp://10.43.0.7:8000",
        port: "tcp://10.43.0.7:8000",
        f"{port}_PROTO": "tcp",
        f"{port}_PORT": "8000",
        f"{port}_ADDR": "10.43.0.7",
    }


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove the settings of the person who runs the tests."""
    for name in [*os.environ]:
        if name in variables() or name.startswith("BETCORE_"):
            monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    """The settings of a process with these variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings()


def wrong(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    """The lines with which a process refuses settings that it cannot read."""
    with pytest.raises(BadSettings) as raised:
        read(monkeypatch, **environment)
    return str(raised.value).splitlines()


@pytest.mark.parametrize("service", SERVICES)
def test_what_kubernetes_sets_for_a_service_stops_nothing_and_is_not_mentioned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, service: str
) -> None:
    found = read(monkeypatch, **of_kubernetes(service))

    assert (found.gateway_port, found.dashboard_port) == (8000, 9181)
    assert caplog.records == []


@pytest.mark.parametrize("value", ["udp://[fd00::7]:53", "sctp://10.0.0.1:1"])
def test_a_service_of_another_protocol_or_address_is_no_port_either(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert read(monkeypatch, BETCORE_DASHBOARD_PORT=value).dashboard_port == 9181


@pytest.mark.parametrize("variable", sorted(variables()))
def test_an_empty_variable_means_the_default(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert read(monkeypatch, **{variable: ""}) == Settings()


def test_all_that_is_wrong_is_said_at_once_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = wrong(
        monkeypatch,
        BETCORE_GATEWAY_PORT="70000",
        BETCORE_BATCH_JOBS_MAX="many",
        BETCORE_LEASE_SECONDS="0",
        BETCORE_SWEEP_SECONDS="nan",
    )

    assert sorted(lines) == [
        "BETCORE_BATCH_JOBS_MAX: Input should be a valid integer, not 'many'",
        "BETCORE_GATEWAY_PORT: Input should be less than or equal to 65535, not '70000'",
        "BETCORE_LEASE_SECONDS: Input should be greater than 0, not '0'",
        "BETCORE_SWEEP_SECONDS: Input should be a finite number, not 'nan'",
    ]


def test_no_number_may_be_below_0_and_most_not_0(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [
        name for name, field in Settings.model_fields.items() if field.annotation in (int, float)
    ]
    for value in ("-1", "-0.5", "inf"):
        variables = {f"BETCORE_{name.upper()}": value for name in numbers}
        assert len(wrong(monkeypatch, **variables)) == len(numbers)


def test_a_secret_is_not_repeated_when_it_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {name for name, field in Settings.model_fields.items() if not field.repr}
    named_so = {
        name for name in Settings.model_fields if name.endswith(("_key", "_keys_old", "password"))
    }

    assert named_so <= secrets
    assert "my-password" not in repr(read(monkeypatch, BETCORE_DASHBOARD_PASSWORD="my-password"))


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("BETCORE_BACTH_JOBS_MAX", "; did you mean BETCORE_BATCH_JOBS_MAX?"),
        ("betcore_batch_job_max", "; did you mean BETCORE_BATCH_JOBS_MAX?"),
        ("BETCORE_DATABASE_URL", "; did you mean DATABASE_URL?"),
        ("BETCORE_DATADIR", "; did you mean BETCORE_DATA_DIR?"),
        ("BETCORE_GATE_PORT", "; did you mean BETCORE_GATEWAY_PORT?"),
        ("BETCORE_PORT", "; did you mean BETCORE_GATEWAY_PORT?"),
        ("BETCORE_XYZ", "."),
    ],
)
def test_a_variable_that_is_no_setting_is_said_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, said: str
) -> None:
    with caplog.at_level(logging.WARNING):
        read(monkeypatch, **{variable: "9000", "BETCORE_DATA_DIR": "here"})

    assert caplog.messages == [f"{variable} is not a setting{said}"]


def test_it_is_said_once_and_not_by_every_child_as_well() -> None:
    environment = {"BETCORE_BACTH_JOBS_MAX": "1", "BETCORE_BATCH_JOBS_MAX": "2", "HOME": "/"}

    assert len(misspelt(environment)) == 1
    assert known(environment) == {"BETCORE_BATCH_JOBS_MAX": "2", "HOME": "/"}
