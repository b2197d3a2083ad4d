"""Who is erased is nowhere any more once the topics have lived through their times, here a minute."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from jornada.bus.carrier import Record
from jornada.bus.local_kafka import LocalKafka
from jornada.clock import SystemClock
from jornada.events import JOURNEYS, REJECTIONS, SCORES, TOUCHPOINTS, new_id, topic_key
from jornada.events.catalogue import CROSSINGS, TOPICS
from tests.flows.system import System
from tests.flows.test_erasure import erased, lived, words_of
from tests.live import brief
from tests.live.remains import in_files, in_logs, in_segments, in_tables, in_topics
from tests.live.whole import SERVICES, whole

TABLES = {
    *("ingest.rejections", "ingest.dead_letters"),
    *("journey.touchpoints", "journey.accepted", "journey.identifiers", "journey.subjects", "journey.sessions"),
    *("journey.device_users", "journey.email_pairs", "journey.dead_letters"),
    *("scoring.subjects", "scoring.identifiers", "scoring.crossings", "scoring.dead_letters"),
    *("notify.journeys", "notify.identifiers", "notify.alerts", "notify.deliveries", "notify.messages"),
    *("notify.dead_letters", "pg_catalog.pg_statistic"),
}
FILES = {
    *("identifiers", "identifiers_pkey", "device_users", "email_pairs", "rejections"),
    *("dead_letters", "journeys", "alerts", "deliveries", "messages", "crossings", "pg_statistic"),
}
TOLD = {TOUCHPOINTS.name, JOURNEYS.name, SCORES.name, CROSSINGS.name, REJECTIONS.name}
KEPT = {TOUCHPOINTS.name, CROSSINGS.name, REJECTIONS.name}
"""Those of them that are not compacted: they hold on until their time is over."""


async def broken(system: System, user: str) -> str:
    """Records of a person that no worker can read: a dead letter with each service. The person's id."""
    id_: str = (await system.ask("journey", f"/v1/customers/user_id:{user}"))["customer_id"]
    value = b'{"userId":"%s","body":[' % user.encode()
    await system.bus.publish(
        [
            Record(TOUCHPOINTS.name, topic_key(system.workspace, user), value),
            Record(JOURNEYS.name, topic_key(system.workspace, id_), value),
            Record(REJECTIONS.name, topic_key(system.workspace, "app"), value),
        ]
    )
    await system.settled()
    return id_


async def life_of(system: System, user: str) -> list[str]:
    """Somebody lives, and leaves something in every place; the words by which they are found."""
    await lived(system, user)
    return [*words_of(user), await broken(system, user)]


@pytest.mark.timeout(400)
async def test_nothing_anywhere_holds_who_was_erased_when_the_receipt_says_so(
    postgres_url: str, kafka_node: LocalKafka
) -> None:
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    modules = dict.fromkeys(SERVICES, "tests.live.brief")
    with patch.dict(TOPICS, brief.TOPICS):
        async with whole(kafka_node.libs, modules=modules, broker=brief.BROKER) as place:
            system = place.system
            await system.act("POST", "notify", "/v1/campaigns/retention-check-in/start")
            hook = {"name": "hook", "when": {}, "to": {"type": "webhook", "url": "http://127.0.0.1:9/"}}
            await system.act("POST", "notify", "/v1/alert-subscriptions", hook)
            user, stays = (f"{name}{new_id().hex[-8:]}" for name in ("erika", "lena"))
            others, words = await life_of(system, stays), await life_of(system, user)
            await _search(system, place.folder, words, others, user)


async def _search(system: System, folder: Path, words: Sequence[str], others: Sequence[str], user: str) -> None:
    url, data, log, bus = system.database_url, folder / "postgres", folder / "kafka" / "log", system.bus
    await system.sql("vacuum (analyze)")
    assert (await in_tables(url, words)).keys() >= TABLES
    assert (await in_files(url, data, words)).keys() >= FILES
    told = await in_topics(bus, words)
    assert told.keys() == in_segments(log, words).keys() == TOLD
    assert set().union(*told.values()) == set(words)
    receipt = await erased(system, user)
    await system.sql("analyze")
    await system.sql("vacuum full")
    named = words[:-1]  # the id itself stays known as one that is no more
    assert await in_tables(url, named) == {}
    assert await in_files(url, data, named) == {}
    assert (await in_topics(bus, named)).keys() & in_segments(log, named).keys() >= KEPT
    await asyncio.sleep((datetime.fromisoformat(receipt["gone_by"]) - SystemClock().now()).total_seconds())
    assert await in_topics(bus, words) == in_segments(log, words) == {}
    assert in_logs(folder, [*words, *others]) == {}
    assert {"journey.subjects", "notify.alerts"} <= (await in_tables(url, others)).keys()
    assert JOURNEYS.name in (await in_topics(bus, others)).keys() & in_segments(log, others).keys()
