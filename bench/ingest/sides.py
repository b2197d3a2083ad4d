"""The sides of the comparison, each a process of its own: `python -m bench.ingest.sides SIDE`.

Each prints its port, or for the loops without HTTP works on command: a line with the events to commit at a time in,
`done` out.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from fastapi import FastAPI
from pydantic import BaseModel

from bench.ingest.bodies import Bodies
from jornada.clock import SystemClock
from jornada.events import new_id, new_text_id
from services.ingest.domain.express import sent
from services.ingest.domain.validation import Arrival
from services.ingest.domain.verdicts import Accept

TOPIC = "bench.events"
PARTITIONS = 12
LOOP_EVENTS = 10_000
_HEADERS = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]


class Event(BaseModel):
    """What one would write in an afternoon."""

    type: Literal["identify", "track", "page", "screen", "group", "alias"]
    event: str | None = None
    userId: str | None = None  # noqa: N815 - as it is sent
    anonymousId: str | None = None  # noqa: N815
    messageId: str  # noqa: N815
    timestamp: datetime | None = None
    context: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    integrations: dict[str, Any] = {}


class Batch(BaseModel):
    """Its body."""

    batch: list[Event]
    sentAt: datetime | None = None  # noqa: N815


class _Raw(msgspec.Struct):
    messageId: str  # noqa: N815
    userId: str  # noqa: N815
    type: str
    timestamp: str
    properties: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.Raw()


class _RawBatch(msgspec.Struct):
    batch: list[_Raw]


def producer() -> AIOKafkaProducer:
    """With the guarantee of ours: acks=all, no idempotence."""
    return AIOKafkaProducer(
        bootstrap_servers=os.environ["JORNADA_KAFKA_BROKERS"],
        acks="all",
        enable_idempotence=False,
        compression_type="zstd",
        linger_ms=5,
        max_batch_size=524_288,
    )


async def fastapi_app() -> FastAPI:
    """FastAPI, pydantic and a `send()` an event, each awaited before the 200."""
    app = FastAPI()
    sending = producer()
    await sending.start()

    @app.post("/v1/batch")
    async def batch(body: Batch) -> dict[str, bool]:
        acks = [
            await sending.send(TOPIC, event.model_dump_json().encode(), key=(event.userId or "").encode())
            for event in body.batch
        ]
        await asyncio.gather(*acks)
        return {"success": True}

    return app


async def request_floor() -> Callable[..., Awaitable[None]]:
    """A raw ASGI route that parses with msgspec, properties left raw, and publishes nothing."""
    decoder = msgspec.json.Decoder(_RawBatch)
    answer = b'{"success":true}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        chunks = []
        while True:
            message = await receive()
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        decoder.decode(b"".join(chunks))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


async def send_loop(records: Sequence[Accept], sending: AIOKafkaProducer, _group: int) -> None:
    """`send()` an event, a thousand outstanding."""
    for at in range(0, len(records), 1_000):
        acks = [
            await sending.send(TOPIC, each.record, key=each.key, headers=_HEADERS) for each in records[at : at + 1_000]
        ]
        await asyncio.gather(*acks)


async def batch_loop(records: Sequence[Accept], sending: AIOKafkaProducer, group: int) -> None:
    """`send_batch`, as many events at a time as ours commits together, as few batches a partition as they fit into."""
    for at in range(0, len(records), group):
        batches = [_batches(sending, records[at + number : at + group : PARTITIONS]) for number in range(PARTITIONS)]
        filled = [(number, batch) for number, each in enumerate(batches) for batch in each]
        await asyncio.gather(*[await sending.send_batch(batch, TOPIC, partition=number) for number, batch in filled])


def _batches(sending: AIOKafkaProducer, records: Sequence[Accept]) -> list[BatchBuilder]:
    batches: list[BatchBuilder] = []
    for each in records:
        if not batches or not _append(batches[-1], each):
            batches.append(sending.create_batch())
            _append(batches[-1], each)
    return batches


def _append(batch: BatchBuilder, event: Accept) -> bool:
    return batch.append(timestamp=None, key=event.key, value=event.record, headers=_HEADERS) is not None


def _records(count: int) -> list[Accept]:
    """What ours would publish of as many events."""
    arrival = Arrival(new_id(), "app", "product", SystemClock().micros(), new_text_id)  # type: ignore[arg-type]
    records: list[Accept] = []
    bodies = Bodies(100, "")
    while len(records) < count:
        verdicts = sent(bodies.body(), "batch").verdicts(arrival)
        records += [each for each in verdicts if isinstance(each, Accept)]
    return records[:count]


async def _serve(make: Callable[[], Awaitable[Any]]) -> None:
    config = uvicorn.Config(await make(), host="127.0.0.1", port=0, lifespan="off", access_log=False, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this alone
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await serving


async def _loop(loop: Callable[[Sequence[Accept], AIOKafkaProducer, int], Awaitable[None]]) -> None:
    sending = producer()
    await sending.start()
    print("ready", flush=True)  # noqa: T201
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    records = _records(LOOP_EVENTS)
    print("loaded", flush=True)  # noqa: T201
    while line := await reader.readline():
        await loop(records, sending, int(line))
        print("done", flush=True)  # noqa: T201
    await sending.stop()


SERVERS = {"fastapi": fastapi_app, "request_floor": request_floor}
LOOPS = {"send": send_loop, "send_batch": batch_loop}


def main() -> None:
    """One side."""
    side = sys.argv[1]
    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        runner.run(_serve(SERVERS[side]) if side in SERVERS else _loop(LOOPS[side]))


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 - the loop of this process alone

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
