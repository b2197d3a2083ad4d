"""What the laws run on: each carrier, with a switch that takes it away and brings it back."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from jornada.bus.carrier import Assigned, Bus, Consumer, Partition, Positions, Received, Record
from jornada.bus.embedded import EmbeddedBus
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.local_kafka import LocalKafka
from jornada.bus.packed import Headers, Packed
from jornada.db import Database
from jornada.events.catalogue import CROSSINGS
from jornada.events.ids import new_id

TOPIC = CROSSINGS.name
packs = pytest.mark.skipif(find_spec("jornada_express") is None, reason="NOTHING IS PACKED: cargo is missing")


class Carrier(Protocol):
    """One carrier; `start` makes a new `bus`."""

    bus: Bus

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def down(self) -> None: ...

    async def up(self) -> None: ...


class KafkaCarrier:
    """Down is a broker whose clock stands still: connections stay open and nothing is answered."""

    def __init__(self, brokers: str, node: Callable[[], LocalKafka]) -> None:
        self._brokers = brokers
        self._node = node
        self.bus: Bus

    async def start(self) -> None:
        self.bus = KafkaBus(KafkaConnection(self._brokers), client_id="test")
        await self.bus.start()

    async def stop(self) -> None:
        await self.bus.stop()

    async def down(self) -> None:
        self._node().freeze()

    async def up(self) -> None:
        self._node().thaw()


class EmbeddedCarrier:
    """Down is a Postgres whose connections are cut and that takes no new ones."""

    def __init__(self, url: str) -> None:
        self._wire = Wire(url)
        self._database: Database
        self.bus: Bus

    async def start(self) -> None:
        await self._wire.open()
        self._database = Database(self._wire.url, "bus")
        self.bus = EmbeddedBus(self._database)
        await self.bus.start()

    async def stop(self) -> None:
        await self.bus.stop()
        await self._database.stop()
        await self._wire.cut()

    async def down(self) -> None:
        await self._wire.cut()

    async def up(self) -> None:
        await self._wire.open()


class Wire:
    """A TCP relay to a Postgres, which can be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._parts = parts
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, upward = await asyncio.open_connection(*self._target)
        self._writers |= {writer, upward}
        await asyncio.gather(_copy(reader, upward), _copy(upstream, writer))
        self._writers -= {writer, upward}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def fresh() -> str:
    """A name that no other test uses."""
    return new_id().hex


def record(key: str, value: bytes = b"", topic: str = TOPIC) -> Record:
    return Record(topic, key.encode(), value)


def packed(values: Sequence[str], topic: str = TOPIC, headers: Headers = ()) -> Packed:
    """Packed records, each with a value in it; for tests that are marked with `packs`."""
    import jornada_express  # noqa: PLC0415 - not built where there is no cargo

    events = [{"type": "track", "event": value, "userId": "customer"} for value in values]
    reading = jornada_express.read(json.dumps({"batch": events}).encode(), "batch")
    arrival = SimpleNamespace(request_id="request")
    return Packed(topic, headers, reading.packed(b"{", b"", 1 << 60, 1_800_000_000_000_000, arrival, headers))


def starting_at(ends: Mapping[Partition, int]) -> Positions:
    """Goes on from what the group committed, else from `ends`."""

    async def positions(assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
        return {
            part: known.committed if known.committed is not None else ends.get(part, known.beginning)
            for part, known in assigned.items()
        }

    return positions


async def drained(consumer: Consumer, count: int, seconds: float = 15.0, most: int = 500) -> list[Received]:
    """At least `count` records, or what came within `seconds`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    found: list[Received] = []
    while len(found) < count and loop.time() < until:
        found += await consumer.poll(most, 0.5)
    return found


def after(records: list[Received]) -> dict[Partition, int]:
    """The positions to commit once `records` are done with."""
    return {Partition(r.topic, r.partition): r.offset + 1 for r in records}
