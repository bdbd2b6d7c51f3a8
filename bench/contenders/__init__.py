"""The contenders by name: ours, and every way of doing the same that somebody could prefer."""

from bench.contender import Contender
from bench.contenders.ours import OURS, OURS_2X2
from bench.contenders.rivals import DIRECT, STOCK_RQ, STOCK_RQ_DEFAULT, TUNED_DIRECT

#: In the order in which a table shows them.
CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (OURS, OURS_2X2, STOCK_RQ, STOCK_RQ_DEFAULT, DIRECT, TUNED_DIRECT)
}
