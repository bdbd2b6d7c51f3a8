"""Currencies: those of ISO 4217 from a library, and those that operators add."""

import re
from contextlib import suppress

from iso4217 import Currency as Iso4217
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.log import Action, record
from models.errors import AlreadyExists, InvalidRequest, UnknownCurrency
from models.money import DECIMALS_MAX
from models.play_money import PATTERN, is_play, play_currency
from models.tables import Account, Currency

_CODE = re.compile(r"[A-Z0-9]{3,12}")


def use_currency(session: DbSession, code: str) -> Currency:
    """The currency.

    It is recorded at its first use if it is in ISO 4217. Raises UnknownCurrency, also for play
    money, which only demo sessions use.
    """
    if is_play(code):
        raise UnknownCurrency(
            f"{code!r} is play money: only a session with the mode demo uses it, by the code that"
            f" stands behind the colon."
        )
    known = session.get(Currency, code)
    if known is not None:
        return known
    decimals = None
    with suppress(ValueError):
        decimals = Iso4217(code).exponent
    if decimals is None:
        raise UnknownCurrency(
            f"There is no currency {code!r}: it is not one of ISO 4217's, and no operator added it "
            "(betcore currency add)."
        )
    return _record(session, code, decimals)


def use_play_currency(session: DbSession, code: str) -> Currency:
    """The currency of play money that looks like this one. Raises UnknownCurrency."""
    like = use_currency(session, code)
    known = session.get(Currency, play_currency(code))
    return known or _record(session, play_currency(code), like.decimals)


def add_currency(session: DbSession, code: str, decimals: int) -> Currency:
    """Add a currency that ISO 4217 does not have, with its number of decimals, 0 to 18.

    A repeat is harmless. Raises InvalidRequest, or AlreadyExists when the currency has another
    number of decimals.
    """
    if not _CODE.fullmatch(code):
        raise InvalidRequest("A currency's code has 3 to 12 capital letters or digits.")
    if not 0 <= decimals <= DECIMALS_MAX:
        raise InvalidRequest(f"A currency has 0 to {DECIMALS_MAX} decimals.")
    try:
        known = use_currency(session, code)
    except UnknownCurrency:
        known = _record(session, code, decimals)
    if known.decimals != decimals:  # also when somebody else has just recorded it
        raise AlreadyExists(f"{code} has {known.decimals} decimals.")
    return known


def list_currencies(session: DbSession) -> list[Currency]:
    """The currencies of real money that were used or added so far, by code.

    Others of ISO 4217 may be used.
    """
    real = select(Currency).where(col(Currency.code).not_like(PATTERN))
    return list(session.exec(real.order_by(Currency.code)))


def _record(session: DbSession, code: str, decimals: int) -> Currency:
    """Insert the currency and its cash account, the other side of deposits."""
    values = {"code": code, "decimals": decimals}
    added = insert(Currency).values(values).on_conflict_do_nothing().returning(col(Currency.code))
    if session.execute(added).first():
        record(session, Action.CURRENCY_ADDED, code, decimals=decimals)
    cash = {"kind": "cash", "currency": code}
    opened = insert(Account).values(cash).on_conflict_do_nothing().returning(col(Account.id))
    for (id_,) in session.execute(opened):
        record(session, Action.ACCOUNT_OPENED, id_, kind="cash", currency=code)
    recorded = session.get(Currency, code)
    if recorded is None:
        raise UnknownCurrency(f"{code} could not be recorded.")
    return recorded
