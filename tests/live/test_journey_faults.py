"""Whatever befalls journey, its Postgres and its broker: every acked event once, and journeys as the oracle tells.

`JORNADA_PROOF_EVENTS=20000 JORNADA_PROOF_FAULTS=30 make test TESTS=tests/live/test_journey_faults.py` runs it at full
size.
"""

import os

import pytest

from jornada.bus.local_kafka import LocalKafka
from tests.live.ordeal import FAULTS, endure, on_ground, sequence

EVENTS = int(os.environ.get("JORNADA_PROOF_EVENTS", "2500"))
COUNT = int(os.environ.get("JORNADA_PROOF_FAULTS", str(len(FAULTS))))
SEED = int(os.environ.get("JORNADA_PROOF_SEED", "1"))


@pytest.mark.timeout(300 + 60 * COUNT)
async def test_no_fault_loses_or_doubles_an_event_or_changes_a_journey(
    postgres_url: str, kafka_node: LocalKafka
) -> None:
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    async with on_ground(kafka_node.libs) as ground:
        found = await endure(ground, sequence(COUNT, SEED), EVENTS, SEED)
    print(f"\n{found.told(SEED)}")  # noqa: T201
    assert found.sound
    assert found.slowest[1] < 30


@pytest.mark.timeout(300)
async def test_a_worker_that_folds_twice_is_caught(postgres_url: str, kafka_node: LocalKafka) -> None:
    """A negative control: deduplication is gone."""
    async with on_ground(kafka_node.libs, "tests.live.folds_twice") as ground:
        found = await endure(ground, ["crash at worker.committed"], 400, SEED)
    assert found.wrong != []


@pytest.mark.timeout(300)
async def test_a_worker_that_never_looks_back_is_caught_losing(postgres_url: str, kafka_node: LocalKafka) -> None:
    """A negative control: the database is put back, and nobody asks."""
    async with on_ground(kafka_node.libs, "tests.live.never_looks_back") as ground:
        found = await endure(ground, ["Postgres put back ten seconds"], 400, SEED)
    assert found.lost > 0
