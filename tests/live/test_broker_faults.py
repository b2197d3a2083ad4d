"""Whatever befalls the brokers, ingest acks nothing that is not stored, answers in time, and goes on by itself."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from jornada.bus.local_kafka import LocalKafka
from tests.live.cluster import Cluster, two_nodes
from tests.live.faults import FAULTS, LEADERLESS, REFUSED, Fault
from tests.live.processes import Running, services_on
from tests.live.trial import endure, resident

SEED = 7
ROUNDS = int(os.environ.get("JORNADA_FAULT_ROUNDS", "1"))


@pytest.fixture(scope="module")
async def cluster(kafka_node: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with two_nodes(tmp_path_factory.mktemp("cluster"), kafka_node.libs) as cluster:
        yield cluster


@pytest.fixture(scope="module")
async def system(
    cluster: Cluster, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """One ingest for all the faults: it must outlive them."""
    folder = tmp_path_factory.mktemp("ingest")
    async with services_on(postgres_url, cluster.brokers, folder, ["ingest"]) as system:
        yield system


def _sequence() -> list[Fault]:
    random = Random(SEED)
    return [fault for _ in range(ROUNDS) for fault in random.sample(FAULTS, len(FAULTS))]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", _sequence(), ids=lambda fault: fault.name.replace(" ", "-"))
async def test_a_fault_loses_nothing_acked_and_heals_by_itself(fault: Fault, cluster: Cluster, system: Running) -> None:
    ingest = system.services["ingest"]
    before = resident(ingest.pid)
    outcome = await endure(fault, cluster, system, SEED)
    grown = resident(ingest.pid) - before
    print(f"\n{outcome.told(SEED)}; memory {before} MiB, grown by {grown}")  # noqa: T201
    assert outcome.acked == {each for call in outcome.calls for each in call.ids}
    assert outcome.lost == set()
    assert outcome.acked_during == []
    assert {call.status for call in outcome.calls} <= ({200} if fault.bridged else {200, 503})
    assert all(call.patient for call in outcome.calls if call.status == 503)
    assert max(call.seconds for call in outcome.calls) < 10
    assert outcome.first_ack < fault.heals_within
    assert grown < 100
    assert ingest.deaths.total() == 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "fault", [REFUSED, LEADERLESS] if ROUNDS > 1 else [REFUSED], ids=lambda fault: str(fault.name).replace(" ", "-")
)
async def test_an_idempotent_producer_is_seen_to_stay_wedged(
    fault: Fault, cluster: Cluster, postgres_url: str, tmp_path: Path
) -> None:
    """The negative control of how ingest heals."""
    modules = {"ingest": "tests.live.idempotent"}
    async with services_on(postgres_url, cluster.brokers, tmp_path, ["ingest"], modules=modules) as system:
        outcome = await endure(fault, cluster, system, SEED, after=30, again=False)
    print(f"\nidempotent, {outcome.told(SEED)}")  # noqa: T201
    hurt = {call.person for call in outcome.calls if call.status == 503 and call.sent_at < outcome.healed - 0.5}
    later = [call for call in outcome.calls if call.person in hurt and call.sent_at > outcome.healed]
    assert {call.person for call in later} - {call.person for call in later if call.status == 200}, "all are healed"


@pytest.mark.timeout(180)
async def test_an_answer_before_the_streams_is_caught_losing(
    cluster: Cluster, postgres_url: str, tmp_path: Path
) -> None:
    """The negative control of what counts as lost."""
    modules = {"ingest": "tests.live.acks_before_storing"}
    async with services_on(postgres_url, cluster.brokers, tmp_path, ["ingest"], modules=modules) as system:
        outcome = await endure(LEADERLESS, cluster, system, SEED, after=1, again=False)
    print(f"\nacks before storing, {outcome.told(SEED)}")  # noqa: T201
    assert outcome.lost
