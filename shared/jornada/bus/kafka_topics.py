"""The catalogue's topics in Kafka: made where absent, compared where present, never altered."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from jornada.bus.carrier import BusUnavailable
from jornada.bus.kafka_connection import UNREACHABLE, KafkaConnection
from jornada.events.catalogue import TOPICS, Topic

_LEAST_MESSAGE = 262_144 + 65_536
_MESSAGE = 1_048_576
_UNKNOWN_TOPIC = 3
_PERMANENT = frozenset({17, 37, 38, 39, 40, 42, 44})
_TIMEOUT = 30.0

_log = logging.getLogger(__name__)


def _milliseconds(period: timedelta) -> str:
    return str(int(period.total_seconds() * 1000))


def topic_settings(topic: Topic, replicas: int) -> dict[str, str]:
    """The settings a topic is made with, as Kafka names and writes them."""
    segment = _milliseconds(topic.segment)
    settings = {
        "cleanup.policy": topic.cleanup,
        "segment.ms": segment,
        "max.message.bytes": str(_MESSAGE),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2" if replicas >= 3 else "1",
    }
    if topic.retention is not None:
        settings["retention.ms"] = _milliseconds(topic.retention)
    if topic.cleanup == "compact":
        settings |= {
            "max.compaction.lag.ms": segment,
            "delete.retention.ms": segment,
            "min.cleanable.dirty.ratio": "0.1",
        }
    return settings


def unsafe(topic: Topic, replicas: int, found: Mapping[str, str]) -> list[str]:
    """What would lose records, refuse them or keep them too long, in words; empty where all is well."""
    wanted = topic_settings(topic, replicas)
    faults = [
        f"{name} is {found.get(name)}, not {wanted[name]}"
        for name in ("cleanup.policy", "message.timestamp.type")
        if found.get(name) != wanted[name]
    ]
    if int(found.get("max.message.bytes", "0")) < _LEAST_MESSAGE:
        faults.append(f"max.message.bytes is under {_LEAST_MESSAGE}")
    if int(found.get("min.insync.replicas", "1")) < int(wanted["min.insync.replicas"]):
        faults.append("min.insync.replicas is under 2")
    if topic.retention is not None and 0 <= int(found.get("retention.ms", "-1")) < int(wanted["retention.ms"]):
        faults.append(f"retention.ms is under {wanted['retention.ms']}")
    if topic.cleanup == "compact":
        # Erasure rests on these: what is erased must leave the log within their time.
        for name in ("max.compaction.lag.ms", "delete.retention.ms", "segment.ms"):
            if int(found.get(name, "0")) > int(wanted[name]):
                faults.append(f"{name} is over {wanted[name]}")
    return faults


def _oddities(topic: Topic, found: Mapping[str, str], partitions: int) -> list[str]:
    odd = []
    if partitions != topic.partitions:
        odd.append(f"it has {partitions} partitions, the catalogue says {topic.partitions}")
    if topic.retention is not None:
        kept = int(found.get("retention.ms", "-1"))
        if kept < 0 or kept > int(_milliseconds(topic.retention)):
            odd.append(f"it keeps records for {kept} ms, longer than the catalogue says")
        if int(found.get("segment.ms", "0")) > int(_milliseconds(topic.segment)):
            odd.append("its segments last longer than the catalogue says")
    return odd


async def ensure_topics(connection: KafkaConnection, client_id: str, replicas: int) -> None:
    """Makes or checks every topic; raises BusUnavailable, or ValueError naming each unsafe setting."""
    admin = AIOKafkaAdminClient(client_id=f"{client_id}-admin", request_timeout_ms=10_000, **connection.settings())
    try:
        async with asyncio.timeout(_TIMEOUT):
            await admin.start()
            present = await _partitions(admin)
            absent = [topic for name, topic in TOPICS.items() if name not in present]
            await _create(admin, absent, replicas)
            await _compare(admin, [TOPICS[name] for name in present], replicas, present)
            await _await_leaders(admin, [topic.name for topic in absent])
    except UNREACHABLE as error:
        raise BusUnavailable(f"Kafka: {type(error).__name__} while the topics were checked") from error
    finally:
        await _close(admin)


async def _close(admin: Any) -> None:
    try:
        await asyncio.wait_for(admin.close(), 5)
    except UNREACHABLE as error:
        _log.debug("the admin client did not close: %s", type(error).__name__)


async def _described(admin: Any) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], await admin.describe_topics(list(TOPICS)))


async def _partitions(admin: Any) -> dict[str, int]:
    found = {}
    for topic in await _described(admin):
        if topic["error_code"] == 0:
            found[topic["topic"]] = len(topic["partitions"])
        elif topic["error_code"] != _UNKNOWN_TOPIC:
            raise BusUnavailable(f"Kafka: topic {topic['topic']}: {for_code(topic['error_code']).__name__}")
    return found


async def _create(admin: Any, topics: Sequence[Topic], replicas: int) -> None:
    if not topics:
        return
    new = [
        NewTopic(topic.name, topic.partitions, replicas, topic_configs=topic_settings(topic, replicas))
        for topic in topics
    ]
    answer = await admin.create_topics(new)
    for name, code, *_ in answer.topic_errors:
        if code in (0, TopicAlreadyExistsError.errno):
            continue
        reason = f"Kafka: topic {name} cannot be made: {for_code(code).__name__}"
        raise ValueError(reason) if code in _PERMANENT else BusUnavailable(reason)


async def _compare(admin: Any, topics: Sequence[Topic], replicas: int, partitions: Mapping[str, int]) -> None:
    if not topics:
        return
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    faults = []
    for answer in await admin.describe_configs(asked):
        for code, _message, _kind, name, entries, *_ in answer.resources:
            if code:
                raise BusUnavailable(f"Kafka: settings of topic {name}: {for_code(code).__name__}")
            found = {entry[0]: entry[1] for entry in entries}
            faults += [f"{name}: {fault}" for fault in unsafe(TOPICS[name], replicas, found)]
            for oddity in _oddities(TOPICS[name], found, partitions[name]):
                _log.warning("topic %s: %s", name, oddity)
    if faults:
        raise ValueError(f"Kafka's topics are not safe to use: {'; '.join(faults)}")


async def _await_leaders(admin: Any, made: Sequence[str]) -> None:
    """A new topic is announced before its partitions have leaders, and a producer would wait for them at each batch."""
    while True:
        topics = [topic for topic in await _described(admin) if topic["topic"] in made]
        if all(topic["partitions"] and all(part["leader"] >= 0 for part in topic["partitions"]) for topic in topics):
            return
        await asyncio.sleep(0.1)
