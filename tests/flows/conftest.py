"""The whole system, once on each carrier, for every test of a flow."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.flows.system import System, fresh_database, running


class Carrier(NamedTuple):
    """The stream that a run of the flows is on."""

    name: str
    brokers: str | None


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    """Each carrier in turn; without a Kafka its half is skipped loudly (and fails in CI)."""
    name: str = request.param
    return Carrier(name, request.getfixturevalue("kafka_brokers") if name == "kafka" else None)


@pytest.fixture(scope="module")
async def system(
    carrier: Carrier, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """One system for the tests that leave it running; each uses people of its own. It ends with its module:
    on a shared Kafka its workers would take part of what the next system is to fold."""
    folder = tmp_path_factory.mktemp(f"system-{carrier.name}")
    async with fresh_database(postgres_url) as url, running(carrier.name, url, folder, carrier.brokers) as system:
        yield system
