"""The keys of all tests: what writes to a test's servers, or reads there, has these."""

from broker.orders import Orders
from models.audit import Author
from models.keys import KeyRing, Purpose
from models.secret_cipher import SecretCipher
from settings import Settings

HEX = {Purpose.JOURNAL: "5a" * 32, Purpose.OPERATOR: "6b" * 32, Purpose.SECRETS: "7c" * 32}
ENVIRONMENT = {purpose.variable: key for purpose, key in HEX.items()}

JOURNAL = KeyRing.read(Purpose.JOURNAL, HEX[Purpose.JOURNAL])
OPERATOR = KeyRing.read(Purpose.OPERATOR, HEX[Purpose.OPERATOR])
SECRETS = KeyRing.read(Purpose.SECRETS, HEX[Purpose.SECRETS])
ORDERS = Orders(OPERATOR, Settings())
CIPHER = SecretCipher(SECRETS)

#: Who changes things in tests.
AUTHOR = Author("a test", OPERATOR.current)
