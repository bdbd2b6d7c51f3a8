"""`betcore provider lock|unlock|allow-list|limits|set-url`: what a provider may do, its URL."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import AsJson, DataDir, Note, emit, emit_lists, find_settings

if TYPE_CHECKING:
    from models.directory.provider_rules import LimitChange, ProviderLimits

CounterpartyId = Annotated[
    str, typer.Argument(metavar="ID", help="The provider's counterparty id.")
]
Networks = Annotated[
    list[str] | None,
    typer.Argument(metavar="NETWORK…", help="Networks, such as 192.0.2.0/24 or 2001:db8::/32."),
]
Anywhere = Annotated[
    bool, typer.Option("--anywhere", help="Take the list away: accept calls from anywhere.")
]
Url = Annotated[
    str | None, typer.Argument(metavar="URL", help="Such as https://games.example.com/wallet.")
]
Nowhere = Annotated[bool, typer.Option("--none", help="Take the URL away: call it nowhere.")]
Rate = Annotated[
    int | None, typer.Option("--rate", min=1, max=1_000_000, help="Requests per second.")
]
MaxWin = Annotated[
    list[str] | None,
    typer.Option("--max-win", metavar="CUR=AMOUNT", help="Largest win of one bet."),
]
MaxDailyWin = Annotated[
    list[str] | None,
    typer.Option("--max-daily-win", metavar="CUR=AMOUNT", help="Largest sum of a day's wins."),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--none",
        metavar="LIMIT",
        help="Take a limit away: rate, max-win=CUR or max-daily-win=CUR.",
    ),
]

#: What an empty list of a rule means. "none" could be read as "nothing is allowed".
UNLIMITED = {"networks": "anywhere", "wins": "no limit"}


def lock(
    counterparty_id: CounterpartyId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Accept no call of a provider at all, for a secret that leaked.

    Every call is answered with 401 within 2 seconds, also pay-outs and refunds.
    """
    _set_lock(counterparty_id, True, note, data_dir, as_json)


def unlock(
    counterparty_id: CounterpartyId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Accept calls of a locked provider again.

    First revoke the secret that leaked.
    """
    _set_lock(counterparty_id, False, note, data_dir, as_json)


def _set_lock(
    counterparty_id: str, locked: bool, note: Note, data_dir: DataDir, as_json: bool
) -> None:
    from models.directory.provider_rules import set_lock
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        set_lock(database, counterparty_id, locked=locked)
    emit({"counterpartyId": counterparty_id, "locked": locked}, as_json)


def allow_list(
    counterparty_id: CounterpartyId,
    networks: Networks = None,
    anywhere: Anywhere = False,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Accept calls of a provider only from these networks.

    They replace the networks of before. Without networks the command shows the list.
    """
    from models.directory.provider_rules import set_allow_list
    from models.reports.parties import show_provider
    from ops.database import changes_of, ledger_of

    if networks and anywhere:
        raise typer.BadParameter("--anywhere takes no networks")
    if networks or anywhere:
        with changes_of(data_dir, note) as database:
            found = set_allow_list(database, counterparty_id, networks or ())
    else:
        with ledger_of(data_dir) as database:
            found = show_provider(database, counterparty_id).networks
    rows = [{"network": network} for network in found]
    emit_lists({"counterpartyId": counterparty_id}, {"networks": rows}, as_json, UNLIMITED)


def limits(
    counterparty_id: CounterpartyId,
    rate: Rate = None,
    max_win: MaxWin = None,
    max_daily_win: MaxDailyWin = None,
    without: Without = None,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Limit a provider's requests per second, and its largest wins per currency.

    Without options the command shows the limits.
    """
    from models.directory.provider_rules import set_limits, show_limits
    from ops.database import changes_of, ledger_of

    if rate is None and not (max_win or max_daily_win or without):
        with ledger_of(data_dir) as database:
            found = show_limits(database, counterparty_id)
    else:
        change = _change(rate, max_win or [], max_daily_win or [], without or [])
        with changes_of(data_dir, note) as database:
            found = set_limits(database, counterparty_id, change)
    fields = {"counterpartyId": counterparty_id, "rate": found.rate_max}
    emit_lists(fields, {"wins": win_rows(found)}, as_json, UNLIMITED)


def set_url(
    counterparty_id: CounterpartyId,
    url: Url = None,
    nowhere: Nowhere = False,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Call a provider at this URL, for its games and to launch them.

    It is HTTPS at a public address, unless the settings allow more.
    """
    from models.directory import provider_calls
    from ops.database import changes_of
    from outbound.client import policy_of

    if (url is None) != nowhere:
        raise typer.BadParameter("give a URL, or --none")
    policy = policy_of(find_settings(data_dir))
    with changes_of(data_dir, note) as database:
        found = provider_calls.set_url(database, counterparty_id, url, policy)
    emit({"counterpartyId": counterparty_id, "url": found}, as_json)


def win_rows(limits: "ProviderLimits") -> list[dict[str, object]]:
    """The limits of wins, one row per currency, with the names of the API."""
    return [
        {"currency": one.currency, "maxWin": one.max_win, "maxDailyWin": one.max_daily_win}
        for one in limits.wins
    ]


def _change(
    rate: int | None, max_win: list[str], max_daily_win: list[str], without: list[str]
) -> "LimitChange":
    """What the options ask for. Raises typer.BadParameter or InvalidRequest."""
    from models.directory.provider_rules import LimitChange

    wins: dict[str, dict[str, Decimal | None]] = {
        "max-win": _amounts("--max-win", max_win),
        "max-daily-win": _amounts("--max-daily-win", max_daily_win),
    }
    for taken in without:
        name, _, currency = taken.partition("=")
        if taken == "rate":
            continue
        if name not in wins or not currency:
            raise typer.BadParameter("--none takes rate, max-win=CUR or max-daily-win=CUR")
        if currency in wins[name]:
            raise typer.BadParameter(f"--none {taken} takes away what --{name} sets")
        wins[name][currency] = None
    return LimitChange(rate, "rate" in without, wins["max-win"], wins["max-daily-win"])


def _amounts(option: str, texts: list[str]) -> dict[str, Decimal | None]:
    from models.money import read_amount

    found: dict[str, Decimal | None] = {}
    for text in texts:
        currency, equals, amount = text.partition("=")
        if not equals or not currency or currency in found:
            raise typer.BadParameter(f"{option} takes CUR=AMOUNT, once for each currency")
        found[currency] = read_amount(amount, f"{option} {currency}")
    return found
