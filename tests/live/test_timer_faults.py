"""Whatever befalls scoring's replicas, its Postgres and its broker: who falls silent crosses once, and at the instant.

`JORNADA_PROOF_SUBJECTS=100000 make test TESTS=tests/live/test_timer_faults.py` runs it at full size.
"""

import os

import pytest

from jornada.bus.local_kafka import LocalKafka
from tests.live.silences import ALL, KILLS, Found, endure, on_ground

SUBJECTS = int(os.environ.get("JORNADA_PROOF_SUBJECTS", "2000"))
SEED = int(os.environ.get("JORNADA_PROOF_SEED", "1"))


@pytest.mark.timeout(600 + SUBJECTS / 20)
async def test_whoever_falls_silent_crosses_once_and_at_the_instant(postgres_url: str, kafka_node: LocalKafka) -> None:
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    async with on_ground(kafka_node.libs, SEED) as ground:
        found = await endure(ground, ALL, SUBJECTS, SEED)
    print(f"\n{found.told(SEED)}")  # noqa: T201
    assert found.sound
    assert found.expected + found.put_off + found.undecided == SUBJECTS
    assert found.put_off > 0
    assert found.expected > 10 * found.unknown


async def _under_kills(kafka_node: LocalKafka, module: str, touched: float = 0.0) -> Found:
    async with on_ground(kafka_node.libs, SEED, f"tests.live.{module}") as ground:
        found = await endure(ground, KILLS, 500, SEED, touched)
    print(f"\n{module}: {found.told(SEED)}")  # noqa: T201
    return found


@pytest.mark.timeout(400)
async def test_one_that_forgets_its_timers_first_is_caught_missing(postgres_url: str, kafka_node: LocalKafka) -> None:
    """A negative control: a timer is taken away before what it says is kept."""
    assert postgres_url
    assert (await _under_kills(kafka_node, "forgets_first")).missed != []


@pytest.mark.timeout(400)
async def test_one_that_never_waits_for_the_log_is_caught_crossing(postgres_url: str, kafka_node: LocalKafka) -> None:
    """A negative control: a timer fires at its instant, though a journey before it is still to be scored."""
    assert postgres_url
    assert (await _under_kills(kafka_node, "never_waits", 0.7)).beyond != []


@pytest.mark.timeout(400)
async def test_one_that_tells_before_it_keeps_is_caught_doubling(postgres_url: str, kafka_node: LocalKafka) -> None:
    """A negative control: a crossing is told before it is kept, under an id of its own."""
    assert postgres_url
    assert (await _under_kills(kafka_node, "tells_first")).doubled != []
