"""Looks for words wherever the system may hold them: tables and their files, topics and their segments, logs."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import asyncpg
from aiokafka.record import MemoryRecords

from jornada.bus.carrier import Assigned, Bus, Partition
from jornada.events import TOPICS, new_id
from tests.holding import holding

Found = dict[str, set[str]]
"""Places, each with the words that it holds."""


async def in_tables(url: str, words: Collection[str]) -> Found:
    """Every table of the database, also those in which Postgres keeps samples of the others' values."""
    connection = await asyncpg.connect(url)
    schemas = await connection.fetch("select nspname from pg_namespace where nspname !~ '^pg_toast|^pg_temp'")
    await connection.close()
    found: Found = defaultdict(set)
    for table, word in await holding(url, words, [row["nspname"] for row in schemas]):
        found[table].add(word)
    return found


async def in_files(url: str, data: Path, words: Collection[str]) -> Found:
    """The files of the database once all is written to them, by the table or index whose they are."""
    connection = await asyncpg.connect(url)
    await connection.execute("checkpoint")
    rows = await connection.fetch("select pg_relation_filenode(oid)::text as node, relname from pg_class")
    names = {row["node"]: row["relname"] for row in rows}
    database = await connection.fetchval("select oid from pg_database where datname = current_database()")
    await connection.close()
    found: Found = defaultdict(set)
    for path in (data / "base" / str(database)).iterdir():
        found[names.get(path.name.split(".")[0], path.name)] |= _holds(path.read_bytes(), words)
    return _any(found)


async def in_topics(bus: Bus, words: Collection[str]) -> Found:
    """Every record of every topic, from its beginning to its end, as a consumer gets it."""

    async def beginning(assigned: Mapping[Partition, Assigned]) -> dict[Partition, int]:
        return {partition: known.beginning for partition, known in assigned.items()}

    found: Found = defaultdict(set)
    consumer = bus.consumer(f"searching-{new_id().hex}", list(TOPICS), beginning)
    await consumer.start()
    silent = 0
    while silent < 3:
        batch = await consumer.poll(5_000, 1.0)
        for each in batch:
            found[each.topic] |= _holds(each.key + b" " + (each.value or b""), words)
        silent = 0 if batch else silent + 1
    await consumer.stop()
    return _any(found)


def in_segments(folder: Path, words: Collection[str]) -> Found:
    """Every record in every file of a broker's log, by topic, also in files that are about to go."""
    found: Found = defaultdict(set)
    for path in folder.glob("*/*.log*"):
        topic = path.parent.name.rpartition("-")[0]
        for key, value in _records(path):
            found[topic] |= _holds(key + b" " + value, words)
    return _any(found)


def in_logs(folder: Path, words: Collection[str]) -> Found:
    """What services, Postgres and the broker wrote to their logs."""
    logs = [*folder.glob("*.log"), *folder.glob("*/server.log")]
    assert logs
    return _any({path.name: _holds(path.read_bytes(), words) for path in logs})


def _records(path: Path) -> Iterator[tuple[bytes, bytes]]:
    batches = MemoryRecords(path.read_bytes())
    while batches.has_next():
        for record in batches.next_batch():
            yield record.key or b"", record.value or b""


def _holds(content: bytes, words: Collection[str]) -> set[str]:
    return {word for word in words if word.encode() in content}


def _any(found: Found) -> Found:
    return {place: words for place, words in found.items() if words}
