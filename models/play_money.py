"""Play money: a demo is played in a currency of its own, such as `demo:EUR` (docs/adr/0032).

Money moves only between accounts of one currency. So play money never meets real money: not in a
player's account, nor in that of a provider or in the cash account. On the wire it is called EUR.
"""

_PREFIX = "demo:"

#: What the code of a currency of real money is not like, in SQL. No operator can add such a code.
PATTERN = f"{_PREFIX}%"


def play_currency(code: str) -> str:
    """The currency of play money that looks like this one."""
    return f"{_PREFIX}{code}"


def is_play(code: str) -> bool:
    """Whether a currency is play money."""
    return code.startswith(_PREFIX)


def on_the_wire(code: str) -> str:
    """The code of a currency as providers see it."""
    return code.removeprefix(_PREFIX)
