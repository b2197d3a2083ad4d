"""Keeps a compacted topic compacting: a log is rolled and cleaned only when something is appended to it."""

import asyncio
from collections.abc import Mapping, Sequence
from zlib import crc32

from jornada.bus.carrier import Bus, BusUnavailable, Partition, Tombstone
from jornada.observe import logs

_log = logs.get(__name__)

EVERY_SECONDS = 3_600.0


class Heartbeats:
    """Appends a tombstone of nobody's key to every partition of the topics, at the start and then once an hour.

    Without it what was erased would stay in an idle partition for ever. Every reader passes over it, as over any other
    tombstone; any number of replicas may send theirs.
    """

    def __init__(self, bus: Bus, topics: Sequence[str]) -> None:
        self._bus = bus
        self._topics = tuple(topics)

    async def run(self) -> None:
        """Beats for ever."""
        while True:
            try:
                await self.beat()
            except BusUnavailable as error:
                _log.warning("heartbeat.missed", error=str(error))
                await asyncio.sleep(5)
            else:
                await asyncio.sleep(EVERY_SECONDS)

    async def beat(self) -> None:
        """Appends to every partition once; raises BusUnavailable."""
        ends = await self._bus.ends(self._topics)
        await self._bus.forget([Tombstone(partition.topic, _key(partition, ends)) for partition in ends])


def _key(partition: Partition, known: Mapping[Partition, int]) -> bytes:
    """A key that falls into the partition and is nobody's: it names no workspace."""
    count = sum(each.topic == partition.topic for each in known)
    keys = (b"heartbeat/%d" % number for number in range(100 * count))
    return next(key for key in keys if crc32(key) % count == partition.number)
