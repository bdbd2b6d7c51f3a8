"""`betcore settings`: all settings, where they come from, no secret; and all faults at once."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.shown_settings import MASK, reference, without_password
from settings import BadSettings, Settings, settings, variables
from tests.source import ROOT

KEY = "5e" * 32


def run(*arguments: str, **env: str) -> Result:
    """Run `betcore settings` where only these variables are set."""
    settings.cache_clear()
    nothing: dict[str, str | None] = dict.fromkeys(variables())
    try:
        return CliRunner(env=nothing | env).invoke(app, ["settings", *arguments])
    finally:
        settings.cache_clear()


def shown(folder: Path, **env: str) -> dict[str, dict[str, object]]:
    """What it prints of each setting, by variable."""
    done = run("--json", "--data-dir", str(folder), **env)
    assert done.exit_code == 0, done.exception
    return {one["variable"]: one for one in json.loads(done.stdout)["settings"]}


def test_every_setting_is_shown_with_its_value_its_source_its_unit_and_its_meaning(
    tmp_path: Path,
) -> None:
    file = tmp_path / "host"
    file.write_text("0.0.0.0\n")
    key = tmp_path / "journal-key"
    key.write_text(KEY)
    key.chmod(0o600)

    found = shown(tmp_path, BETCORE_LEASE_SECONDS="3", BETCORE_GATEWAY_HOST_FILE=str(file))

    assert set(found) == variables()
    assert all(one["meaning"] and one["unit"] for one in found.values())
    pairs = {name: (one["value"], one["source"]) for name, one in found.items()}
    assert pairs["BETCORE_LEASE_SECONDS"] == (3, "environment")
    assert pairs["BETCORE_GATEWAY_HOST"] == ("0.0.0.0", f"file {file}")
    assert pairs["BETCORE_SWEEP_SECONDS"] == (0.5, "default")
    assert pairs["BETCORE_JOURNAL_KEY"] == (MASK, f"data folder {tmp_path}")
    assert pairs["BETCORE_DATA_DIR"] == (str(tmp_path), "--data-dir")
    assert found["BETCORE_LEASE_SECONDS"]["unit"] == "seconds"


def test_no_secret_is_shown_in_any_form(tmp_path: Path) -> None:
    secrets = {name: "my-secret" for name in variables() if name.endswith(("PASSWORD",))}
    urls = {
        "DATABASE_URL": "postgresql://me:my-secret@host/bets?sslpassword=my-secret",
        "REDIS_URL": "redis://:my-secret@host:6379/0?password=my-secret&db=1",
    }

    for arguments in (["--json"], []):
        done = run(*arguments, "--data-dir", str(tmp_path), **secrets, **urls)
        assert done.exit_code == 0, done.exception
        assert "my-secret" not in done.output
        assert "host:6379" in done.output


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://me:p@ss/w?rd#x@host/0", f"redis://me:{MASK}@host/0"),
        (
            "postgresql:///bets?user=me&pass%77ord=x",
            f"postgresql:///bets?user=me&pass%77ord={MASK}",
        ),
        ("host=here password=x", MASK),
        ("", ""),
    ],
)
def test_a_password_is_masked_wherever_it_stands_in_a_url(url: str, expected: str) -> None:
    assert without_password(url) == expected


def test_all_faults_of_a_configuration_are_said_at_once(tmp_path: Path) -> None:
    done = run(
        BETCORE_LEASE_SECONDS="soon",
        DATABASE_URL="bla:secret",
        DATABASE_READ_URL="mysql://x",
        REDIS_URL="amqp://x",
        BETCORE_JOURNAL_KEY="short",
        BETCORE_ACTOR="me",
        BETCORE_ACTOR_FILE=str(tmp_path / "none"),
        BETCORE_QUEUE_NAME_FILE=str(tmp_path / "none"),
    )

    assert done.exit_code == 1
    assert isinstance(done.exception, BadSettings)
    lines = str(done.exception).splitlines()
    assert sorted(line.partition(" ")[0].rstrip(":") for line in lines) == [
        *("BETCORE_ACTOR", "BETCORE_JOURNAL_KEY", "BETCORE_LEASE_SECONDS"),
        *("BETCORE_QUEUE_NAME_FILE", "DATABASE_READ_URL", "DATABASE_URL", "REDIS_URL"),
    ]
    assert "secret" not in str(done.exception)

    done = run(DATABASE_URL="bla", REDIS_URL="amqp://x")
    assert isinstance(done.exception, BadSettings)
    assert len(str(done.exception).splitlines()) == 2


def test_the_reference_page_is_as_the_settings_are() -> None:
    page = (ROOT / "docs" / "SETTINGS.md").read_text()

    assert page == reference(), "run `betcore settings --reference > docs/SETTINGS.md`"
    assert all(about.description for about in Settings.model_fields.values())
