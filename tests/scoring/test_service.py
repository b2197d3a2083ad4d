"""The service as it is wired, on the embedded stream: journeys in, scores and a crossing out, caught up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from jornada.bus.carrier import Assigned, Partition, Record
from jornada.bus.embedded import EmbeddedBus
from jornada.clock import SystemClock
from jornada.db import Database, Unavailable
from jornada.events import (
    CROSSINGS,
    JOURNEYS,
    SCORES,
    Billing,
    Crossing,
    Erased,
    JourneyEvent,
    Measures,
    ScoreErased,
    ScoreEvent,
    ScoreSnapshot,
    decode,
    encode,
    topic_key,
)
from jornada.runtime.service import Service
from services.scoring.app import wired
from services.scoring.settings import Settings
from services.scoring.sisters import JourneyLag
from tests.scoring.harness import Scoring
from tests.scoring.journeys import use


@asynccontextmanager
async def running(scoring: Scoring, url: str) -> AsyncIterator[tuple[Service, EmbeddedBus]]:
    """The service at work, and its stream."""
    bus = EmbeddedBus(Database(url, "bus"))

    async def nothing_waits() -> float:
        return 0.0

    service = wired(Settings(), bus, scoring.database, SystemClock(), nothing_waits)
    await bus.start()
    tasks = [asyncio.ensure_future(act()) for _, act in service.tasks]
    try:
        yield service, bus
    finally:
        for worker in service.workers:
            worker.stop()
        await asyncio.wait(tasks[:1], timeout=5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.stop()


def _record(event: JourneyEvent) -> Record:
    return Record(JOURNEYS.name, topic_key(event.workspace, event.subject_id), encode(event))


async def test_a_journey_on_the_stream_becomes_scores_and_a_crossing(scoring: Scoring, postgres_url: str) -> None:
    now = SystemClock().now()
    async with running(scoring, postgres_url) as (service, bus):
        measures = Measures(use=use(now), billing=Billing(cancels_at=now + timedelta(days=9)))
        journeys = [scoring.journey(f"c{each}", as_of=now, measures=measures) for each in range(20)]
        await bus.publish([_record(each) for each in journeys])
        await _caught_up(service.app)
        crossings: list[Crossing] = [decode(each, Crossing) for each in await _read(bus, CROSSINGS.name)]
        mine = [each for each in crossings if each.workspace == scoring.workspace]
        assert sorted(each.subject_id for each in mine) == sorted(each.subject_id for each in journeys)
        assert len(await _read(bus, SCORES.name)) >= len(journeys)


async def test_of_an_erased_customer_the_compacted_topic_keeps_no_score(scoring: Scoring, postgres_url: str) -> None:
    async with running(scoring, postgres_url) as (service, bus):
        ana, bia = (scoring.journey(name, measures=Measures(use=use(SystemClock().now()))) for name in ("ana", "bia"))
        await bus.publish([_record(ana), _record(bia)])
        await _caught_up(service.app)
        erased = Erased(
            workspace=scoring.workspace, subject_type="customer", subject_id=ana.subject_id, version=ana.version + 1
        )
        await bus.publish([_record(erased)])
        await _caught_up(service.app)
        await bus.tidy()
        events: list[ScoreEvent] = [decode(each, ScoreEvent) for each in await _read(bus, SCORES.name)]
        left = {each.subject_id: type(each) for each in events if each.workspace == scoring.workspace}
        assert left == {ana.subject_id: ScoreErased, bia.subject_id: ScoreSnapshot}
        assert len([each for each in events if each.workspace == scoring.workspace]) == 2


async def _caught_up(app: object) -> None:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with asyncio.timeout(20), httpx.AsyncClient(transport=transport, base_url="http://scoring") as client:
        while not (await client.get("/v1/lag")).json()["caught_up"]:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.05)


async def _read(bus: EmbeddedBus, topic: str) -> list[bytes]:
    async def beginning(assigned: dict[Partition, Assigned]) -> dict[Partition, int]:
        return {partition: known.beginning for partition, known in assigned.items()}

    consumer = bus.consumer(f"reader-{topic}", [topic], beginning)  # type: ignore[arg-type]
    await consumer.start()
    try:
        values: list[bytes] = []
        while records := await consumer.poll(1_000, 0.5):
            values += [each.value for each in records if each.value is not None]
        return values
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    "answer", [httpx.Response(503), httpx.Response(200, json={}), httpx.Response(200, text="{"), httpx.ReadTimeout("")]
)
async def test_a_journey_that_does_not_say_how_far_it_is_means_wait(answer: httpx.Response | Exception) -> None:
    def handle(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    lag = JourneyLag("http://journey", httpx.MockTransport(handle))
    with pytest.raises(Unavailable):
        await lag.oldest_waiting_seconds()
    await lag.stop()


async def test_journeys_oldest_waiting_record_is_asked_for() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/lag"
        return httpx.Response(200, json={"caught_up": True, "oldest_waiting_seconds": 2.5})

    lag = JourneyLag("http://journey", httpx.MockTransport(handle))
    assert await lag.oldest_waiting_seconds() == 2.5
    await lag.stop()
