"""The keys of all tests: what writes to a test's servers, or reads there, has these."""

from bench.contender import KEYS
from broker.orders import Orders
from models.audit.log import Author
from models.keys import KeyRing, Purpose
from models.secret_cipher import SecretCipher
from settings import Settings

#: Those of the benchmark, whose contenders run on tests' servers, too.
HEX = {purpose: KEYS[purpose.variable] for purpose in Purpose}
ENVIRONMENT = {purpose.variable: key for purpose, key in HEX.items()}

#: A key that an operator's command of a test has, and no worker.
OTHER_OPERATOR = "0f" * 32

JOURNAL = KeyRing.read(Purpose.JOURNAL, HEX[Purpose.JOURNAL])
OPERATOR = KeyRing.read(Purpose.OPERATOR, HEX[Purpose.OPERATOR])
SECRETS = KeyRing.read(Purpose.SECRETS, HEX[Purpose.SECRETS])
ORDERS = Orders(OPERATOR, Settings())
CIPHER = SecretCipher(SECRETS)

#: Who changes things in tests.
AUTHOR = Author("a test", OPERATOR.current)
