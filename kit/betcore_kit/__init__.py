"""What a game provider needs to call betcore: a client, signing, and tools. See kit/README.md."""

from betcore_kit.answers import BalanceAnswer, BetAnswer, BetState, Code, Outcome, RoundBets
from betcore_kit.calls import PayIn, PayInOut, PayOut, Refund
from betcore_kit.client.clients import AsyncClient, Client
from betcore_kit.client.hooks import Hooks
from betcore_kit.client.schedule import Schedule
from betcore_kit.errors import KitError
from betcore_kit.signing import Identity
from betcore_kit.verifying import Verifier

__all__ = [
    "AsyncClient",
    "BalanceAnswer",
    "BetAnswer",
    "BetState",
    "Client",
    "Code",
    "Hooks",
    "Identity",
    "KitError",
    "Outcome",
    "PayIn",
    "PayInOut",
    "PayOut",
    "Refund",
    "RoundBets",
    "Schedule",
    "Verifier",
]
