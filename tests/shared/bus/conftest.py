"""Both carriers, one after the other."""

from collections.abc import AsyncIterator

import pytest

from jornada.bus.local_kafka import LocalKafka
from tests.shared.bus.carriers import Carrier, EmbeddedCarrier, KafkaCarrier


@pytest.fixture(scope="module", params=["embedded", "kafka"])
async def carrier(request: pytest.FixtureRequest) -> AsyncIterator[Carrier]:
    """A started carrier; stopped at the end of the module."""
    made: Carrier
    if request.param == "embedded":
        made = EmbeddedCarrier(request.getfixturevalue("postgres_url"))
    else:

        def node() -> LocalKafka:
            found: LocalKafka = request.getfixturevalue("kafka_node")
            return found

        made = KafkaCarrier(request.getfixturevalue("kafka_brokers"), node)
    await made.start()
    yield made
    await made.stop()
