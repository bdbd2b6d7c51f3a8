"""What a provider may do at a gateway: a lock, an allow-list, requests per second."""

import pytest

from api.shared.throttles import Bucket
from api.wallet.provider_rules import Rules, rules_of
from models.ledger.gateway_reads import StoredRules
from server.callers import Address
from tests.unit.gateway_parts import CLIENT, GatewayParts, gateway_parts

BODY = b'{"betId":"b-1","betAmount":1,"winAmount":0}'
WHO = CLIENT.counterparty_id
FREE = StoredRules(WHO, locked=False, networks=None, rate_max=None)
#: The test's client has no address that is a network's.
CLIENT_ADDRESS = "127.0.0.1"


def nobody() -> Address | None:
    """An unknown caller."""
    return None


@pytest.mark.parametrize(
    ("rules", "cause"),
    [
        (FREE._replace(locked=True), "the provider is locked"),
        (
            FREE._replace(networks=["192.0.2.0/24", "2001:db8::/32"]),
            "is not on the allow-list",
        ),
        (FREE._replace(networks=["planted"]), "the allow-list of the provider cannot be read"),
    ],
)
async def test_a_refused_provider_gets_the_answer_of_a_bad_signature_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture, rules: StoredRules, cause: str
) -> None:
    async with gateway_parts() as gateway:
        assert (await gateway.post(BODY)).status_code == 200
        forged = await gateway.post(BODY, sign="0" * 64)
        gateway.behind.rules = [rules]
        await _read_anew(gateway)
        caplog.clear()

        refused = await gateway.post(BODY)

        assert refused.status_code == forged.status_code == 401
        ours = {"requestId"}
        assert {k: v for k, v in refused.json().items() if k not in ours} == {
            k: v for k, v in forged.json().items() if k not in ours
        }
        assert set(refused.headers) == set(forged.headers)
        assert cause in caplog.text
        gateway.behind.rules = []
        # Nothing has to be waited for: a call that fails is judged again with the newest rules.
        assert (await gateway.post(BODY)).status_code == 200


async def test_a_caller_on_the_allow_list_is_heard() -> None:
    async with gateway_parts() as gateway:
        gateway.behind.rules = [FREE._replace(networks=["198.51.100.0/24", CLIENT_ADDRESS])]
        await _read_anew(gateway)

        assert (await gateway.post(BODY)).status_code == 200


async def test_above_its_rate_a_provider_gets_429_with_99_and_its_nonce_is_not_used_up() -> None:
    async with gateway_parts(rate_gateways=2) as gateway:
        gateway.behind.rules = [FREE._replace(rate_max=2)]  # so one per second here
        await _read_anew(gateway)

        first = await gateway.post(BODY)
        above = await gateway.post(BODY)

        assert first.status_code == 200
        assert (above.status_code, above.json()["_responseCode"]) == (429, 99)
        assert int(above.headers["retry-after"]) >= 1
        assert len(gateway.nonces()) == 1


async def test_a_request_without_a_good_signature_does_not_count_for_the_rate() -> None:
    async with gateway_parts() as gateway:
        gateway.behind.rules = [FREE._replace(rate_max=1)]
        await _read_anew(gateway)
        for _ in range(3):
            assert (await gateway.post(BODY, sign="0" * 64)).status_code == 401

        assert (await gateway.post(BODY)).status_code == 200


def test_an_allowance_lets_a_burst_of_one_second_in_and_then_the_rate() -> None:
    allowance = Bucket(5, 5, now=100.0)

    assert [allowance.take(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert [allowance.take(100.4) for _ in range(3)] == [True, True, False]
    assert [allowance.take(200.0) for _ in range(6)] == [True] * 5 + [False]


def test_what_was_counted_stays_counted_when_the_rules_are_read_again() -> None:
    stored = [FREE._replace(rate_max=2)]
    rules = rules_of(stored, {}, 1, 0.0)
    allowance = rules[WHO].allowance
    assert allowance is not None
    assert [allowance.take(0.0) for _ in range(2)] == [True, True]

    again = rules_of([FREE._replace(rate_max=4)], rules, 1, 0.0)[WHO].allowance

    assert again is allowance
    assert not again.take(0.0)
    assert again.take(0.25)


def test_an_unreadable_allow_list_stops_only_its_own_provider() -> None:
    stored = [FREE._replace(networks=["planted"]), FREE._replace(counterparty_id="x")]
    found = rules_of(stored, {}, 1, 0)

    assert found[WHO].why_refused(nobody)
    assert not found["x"].why_refused(nobody)
    assert isinstance(found["x"], Rules)


async def _read_anew(gateway: GatewayParts) -> None:
    """Let the gateway read the providers: a call that fails makes it do so."""
    assert (await gateway.post(BODY, sign="1" * 64)).status_code in (401, 429)
