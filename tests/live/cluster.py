"""Two Kafka nodes: one controls and holds the first half of every log; the other the rest, behind a relay."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from jornada.bus.kafka_topics import topic_settings
from jornada.bus.local_kafka import LocalKafka
from jornada.events import REJECTIONS, TOUCHPOINTS
from jornada.events.catalogue import TOPICS, Topic
from tests.live.proxy import Proxy

FIRST_HALF = frozenset(range(TOUCHPOINTS.partitions // 2))
SECOND_HALF = frozenset(range(TOUCHPOINTS.partitions)) - FIRST_HALF


@dataclass
class Cluster:
    """Each partition has one replica: with its node away it has no leader."""

    first: LocalKafka
    second: LocalKafka
    relay: Proxy

    @property
    def brokers(self) -> str:
        """What a client is given."""
        return f"{self.first.brokers},{self.second.brokers}"

    async def limit(self, most: int | None) -> None:
        """The most bytes of a batch of touchpoints that the brokers take; None for the catalogue's."""
        changed = {} if most is None else {"max.message.bytes": str(most)}
        async with _admin(self.first.brokers) as admin:
            wanted: Mapping[str, str] = topic_settings(TOUCHPOINTS, 1) | changed
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOUCHPOINTS.name, dict(wanted))])


@asynccontextmanager
async def two_nodes(folder: Path, libs: Path) -> AsyncIterator[Cluster]:
    """Both up, with every topic; ended after."""
    first = LocalKafka(folder / "first", libs=libs)
    async with Proxy() as relay:
        second = LocalKafka(folder / "second", libs=libs, beside=first, advertised=relay.port)
        relay.target = second.port
        try:
            await asyncio.to_thread(first.start)
            await asyncio.to_thread(second.start)
            await _make_topics(first.brokers)
            yield Cluster(first, second, relay)
        finally:
            for node in (second, first):
                node.kill()


@asynccontextmanager
async def _admin(brokers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _make_topics(brokers: str) -> None:
    new = [
        NewTopic(topic.name, -1, -1, replica_assignments=_replicas(topic), topic_configs=topic_settings(topic, 1))
        for topic in TOPICS.values()
    ]
    async with _admin(brokers) as admin:
        answer = await admin.create_topics(new)
        assert all(code == 0 for _, code, *_ in answer.topic_errors), answer


def _replicas(topic: Topic) -> dict[int, list[int]]:
    away = frozenset() if topic is REJECTIONS else SECOND_HALF
    return {number: [2 if number in away else 1] for number in range(topic.partitions)}
