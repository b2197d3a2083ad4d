"""Whatever befalls scoring's replicas, its Postgres and its broker: who falls silent crosses once, and at the instant.

`JORNADA_PROOF_SUBJECTS=100000 make test TESTS=tests/live/test_timer_faults.py` runs it at full size.
"""

import os

import pytest

from jornada.bus.local_kafka import LocalKafka
from tests.live.silences import ALL, endure, on_ground

SUBJECTS = int(os.environ.get("JORNADA_PROOF_SUBJECTS", "2000"))
SEED = int(os.environ.get("JORNADA_PROOF_SEED", "1"))


@pytest.mark.timeout(300 + SUBJECTS / 50)
async def test_whoever_falls_silent_crosses_once_and_at_the_instant(postgres_url: str, kafka_node: LocalKafka) -> None:
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    async with on_ground(kafka_node.libs, SEED) as ground:
        found = await endure(ground, ALL, SUBJECTS, SEED)
    print(f"\n{found.told(SEED)}")  # noqa: T201
    assert found.sound
    assert found.expected + found.put_off + found.undecided == SUBJECTS
    assert len(found.late) == found.expected
    assert found.put_off > 0
