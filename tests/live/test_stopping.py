"""SIGTERM: unready at once, what was taken is answered, and out within 25 s whoever still holds a connection."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from jornada.bus.local_kafka import LocalKafka
from jornada.events import TOUCHPOINTS, Touchpoint, decode, new_id
from tests.flows.system import take_ports
from tests.live.log import ends_of, records_of
from tests.live.processes import Running, Supervised, services_on
from tests.live.proxy import Proxy
from tests.live.sender import Sender

SEED = 13


async def _unready_after(url: str) -> float:
    """Seconds until `/readyz` says so, or nobody listens any more."""
    began = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        while True:
            try:
                if (await http.get(f"{url}/readyz")).status_code == 503:
                    break
            except httpx.TransportError:
                break
            await asyncio.sleep(0.02)
    return time.monotonic() - began


def _dial(url: str, sent: bytes) -> socket.socket:
    """A connection on which `sent` is sent and nothing is read."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    held.connect((urlsplit(url).hostname, urlsplit(url).port))
    held.setblocking(False)
    held.send(sent)
    return held


@asynccontextmanager
async def _slow_clients(system: Running) -> AsyncIterator[None]:
    """Bodies half sent, live streams read and unread, and answers that nobody reads."""
    url = system.urls["ingest"]
    bearer = f"Authorization: Bearer {system.api_token}\r\n"
    half = f"POST /v1/batch HTTP/1.1\r\nHost: i\r\nX-Write-Key: {system.write_key}\r\nContent-Length: 900\r\n\r\n{{"
    live = f"GET /v1/live HTTP/1.1\r\nHost: i\r\n{bearer}\r\n"
    answers = "GET /openapi.json HTTP/1.1\r\nHost: i\r\n\r\n" * 100
    held = [_dial(url, text.encode()) for text in (half, half, half, live, live, answers)]
    async with (
        httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {system.api_token}"}) as http,
        http.stream("GET", f"{url}/v1/live") as stream,
    ):
        assert stream.status_code == 200
        yield
    for connection in held:
        connection.close()


@pytest.mark.timeout(120)
@pytest.mark.skipif("JORNADA_KAFKA_BROKERS" in os.environ, reason="a broker that is not ours is not ours to freeze")
async def test_a_stop_answers_what_was_taken_and_waits_for_nobody(
    postgres_url: str, kafka_node: LocalKafka, tmp_path: Path
) -> None:
    async with services_on(postgres_url, kafka_node.brokers, tmp_path, ["ingest"]) as system:
        ingest = system.services["ingest"]
        sender = Sender(system.urls["ingest"], system.write_key, new_id().hex[-8:], SEED)
        before = await ends_of(kafka_node.brokers, TOUCHPOINTS.name)
        async with _slow_clients(system):
            sender.start()
            await asyncio.sleep(2)
            kafka_node.freeze()
            await asyncio.sleep(2)
            flying = [call for call in sender.calls if call.answered_at == 0 and call.sent_at < time.monotonic() - 0.2]
            began = time.monotonic()
            stopping = asyncio.create_task(ingest.stop())
            unready = await _unready_after(system.urls["ingest"])
            await asyncio.sleep(2)
            kafka_node.thaw()
            code = await stopping
            took = time.monotonic() - began
        await sender.stop()
    found: set[str] = set()
    for record in await records_of(kafka_node.brokers, TOUCHPOINTS.name, before):
        touchpoint: Touchpoint = decode(record.value, Touchpoint)
        found.add(touchpoint.message_id)
    print(  # noqa: T201
        f"\nunready after {unready:.2f} s, out after {took:.1f} s with code {code}; {len(flying)} calls in flight,"
        f" {len(sender.acked)} events acked, lost {len(sender.acked - found)}, seed {SEED}"
    )
    assert code == 0
    assert took < 25
    assert unready < 1
    assert len(flying) > 50
    assert {call.status for call in flying} == {200}
    assert sender.acked <= found


@pytest.mark.timeout(120)
@pytest.mark.skipif("JORNADA_KAFKA_BROKERS" in os.environ, reason="a broker that is not ours is not ours to freeze")
@pytest.mark.skipif("JORNADA_TEST_DATABASE_URL" in os.environ, reason="a Postgres that is not ours may be elsewhere")
async def test_a_stop_is_over_in_time_though_neither_the_stream_nor_postgres_answers(
    postgres_url: str, kafka_node: LocalKafka, tmp_path: Path
) -> None:
    """Whoever works, and whatever is to be closed, waits for an answer that does not come."""
    there = urlsplit(postgres_url)
    async with Proxy() as relay:
        assert there.port is not None
        relay.target = there.port
        url = there._replace(netloc=there.netloc.replace(f":{there.port}", f":{relay.port}")).geturl()
        async with (
            services_on(url, kafka_node.brokers, tmp_path, ["ingest"]) as system,
            _slow_clients(system),
            httpx.AsyncClient(base_url=system.urls["ingest"], trust_env=False, timeout=20) as http,
        ):
            await _refused(http, system)
            async with asyncio.timeout(30):
                while not await _told(http, system):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            relay.mode = "swallow"
            await _refused(http, system)
            await asyncio.sleep(2)
            kafka_node.freeze()
            began = time.monotonic()
            try:
                code = await system.services["ingest"].stop()
            finally:
                kafka_node.thaw()
                relay.mode = "open"
            took = time.monotonic() - began
    print(f"\nout after {took:.1f} s with code {code}")  # noqa: T201
    assert code == 0
    assert took < 25


async def _refused(http: httpx.AsyncClient, system: Running) -> None:
    """An event that the worker has to store as a rejection."""
    answer = await http.post("/v1/track", json={"event": "Signed In", "userId": "null"}, auth=(system.write_key, ""))
    assert answer.json()["results"][0]["status"] == "rejected"


async def _told(http: httpx.AsyncClient, system: Running) -> list[object]:
    """The rejections that the worker has stored."""
    answer = await http.get("/v1/rejections", headers={"Authorization": f"Bearer {system.api_token}"})
    items: list[object] = answer.json()["items"]
    return items


@pytest.mark.timeout(60)
async def test_a_stop_is_heard_while_it_still_waits_for_the_stream(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        environment = {
            "JORNADA_MODE": "local",
            "JORNADA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "JORNADA_KAFKA_BROKERS": f"127.0.0.1:{nobody.getsockname()[1]}",
            "JORNADA_DATA_DIR": str(tmp_path),
        }
        take_ports(environment)
        ingest = Supervised("services.ingest", environment, tmp_path / "ingest.log")
        ingest.start()
        url = f"http://127.0.0.1:{environment['JORNADA_INGEST_PORT']}"
        async with asyncio.timeout(20):
            await _starting(url)
        began = time.monotonic()
        assert await ingest.stop() == 0
        assert time.monotonic() - began < 10


async def _starting(url: str) -> None:
    """Returns once it answers that it is not ready."""
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                assert (await http.get(f"{url}/readyz")).status_code == 503
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return
