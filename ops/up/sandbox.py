"""What the children of `betcore up --sandbox` are told."""

from pathlib import Path
from typing import Final

from ops.process.probe import reachable
from settings import Settings

#: The data folder of a sandbox, unless somebody names one: that of `make run` has a provider.
DATA_DIR: Final = Path(".betcore-sandbox")


def sandbox_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables of a sandbox. It is empty if this is no sandbox."""
    if not settings.sandbox:
        return {}
    portal = f"http://{reachable(settings.portal_host)}:{settings.portal_port}"
    wallet = f"http://{reachable(settings.gateway_host)}:{settings.gateway_port}"
    return {
        "BETCORE_SANDBOX": "true",
        "BETCORE_SANDBOX_URL": settings.sandbox_url or portal,
        "BETCORE_SANDBOX_WALLET_URL": settings.sandbox_wallet_url or wallet,
    }
