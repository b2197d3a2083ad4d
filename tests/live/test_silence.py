"""How late a stage or a segment that changes by silence alone is published, while others go on."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from jornada.bus.local_kafka import LocalKafka
from jornada.clock import SystemClock
from jornada.events import JOURNEYS, JourneyEvent, JourneySnapshot, SubjectId, decode
from tests.live.log import records_of
from tests.live.sender import Sender
from tests.live.whole import Whole, whole

CUSTOMERS, SEED = 2_000, 5
AHEAD, WITHIN = timedelta(seconds=60), timedelta(seconds=60)
RATE = 20
QUIET = {"silence": "feature_used", "at_least": "30 minutes"}


def _track(user: str, event: str, at: datetime) -> dict[str, Any]:
    return {
        "type": "track",
        "userId": user,
        "event": event,
        "timestamp": at.isoformat(),
        "messageId": f"{user}-{event}",
    }


def _lives(begin: datetime) -> Iterator[list[dict[str, Any]]]:
    """Customers, staggered: every other one falls quiet for the segment, the others are at risk, each at an instant."""
    for number in range(CUSTOMERS):
        due = begin + WITHIN * number / CUSTOMERS
        ago = timedelta(minutes=30) if number % 2 else timedelta(days=14)
        user = f"customer-{number}"
        yield [_track(user, "Signed Up", due - ago - timedelta(days=1)), _track(user, "Feature Used", due - ago)]


async def _sent(place: Whole, lives: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    for start in range(0, len(lives), 100):
        await place.system.send(*(event for life in lives[start : start + 100] for event in life))


async def _due(place: Whole, begin: datetime) -> dict[SubjectId, datetime]:
    """Who is to change by silence within the time, and when."""
    rows = await place.system.sql(
        "select subject, due_at from journey.timers where due_at >= $1 and due_at < $2", begin, begin + WITHIN
    )
    return {SubjectId(row["subject"]): row["due_at"] for row in rows}


async def _lateness(place: Whole, due: Mapping[SubjectId, datetime]) -> dict[SubjectId, float]:
    """By how many seconds each was appended to the topic after its instant, by the broker's clock."""
    late: dict[SubjectId, float] = {}
    for record in await records_of(place.brokers, JOURNEYS.name):
        if record.value is None:
            continue
        event: JourneyEvent = decode(record.value, JourneyEvent)
        if isinstance(event, JourneySnapshot) and event.as_of == due.get(event.subject_id):
            late.setdefault(event.subject_id, (record.appended_at - event.as_of).total_seconds())
    return late


@pytest.mark.timeout(400)
async def test_what_silence_changes_is_published_within_seconds(postgres_url: str, kafka_node: LocalKafka) -> None:
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    async with whole(kafka_node.libs) as place:
        await place.system.act("PUT", "journey", "/v1/segments/quiet", {"when": QUIET})
        begin = SystemClock().now().replace(microsecond=0) + AHEAD
        await _sent(place, list(_lives(begin)))
        await place.system.settled()
        assert SystemClock().now() < begin, "too slow to be before the first instant"
        due = await _due(place, begin)
        sender = Sender(place.system.urls["ingest"], place.system.write_key, "load", SEED, rate=RATE)
        sender.start()
        began = SystemClock().now()
        await asyncio.sleep((begin + WITHIN - began).total_seconds())
        await sender.stop()
        await place.system.settled()
        late = sorted((await _lateness(place, due)).values())
    load = sum(len(call.ids) for call in sender.calls) / (begin + WITHIN - began).total_seconds()
    p50, p99 = (late[int(len(late) * share)] for share in (0.5, 0.99))
    print(  # noqa: T201
        f"\n{len(late)} customers due within {WITHIN.seconds} s, {load:.0f} events a second meanwhile:"
        f" published after p50 {p50:.2f} s, p99 {p99:.2f} s, at most {late[-1]:.2f} s"
    )
    assert len(late) == len(due) == CUSTOMERS
    assert p99 < 15
    assert late[-1] < 30
