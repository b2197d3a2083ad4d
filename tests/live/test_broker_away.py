"""No 2xx before the stream's ack: with the broker away ingest says 503, and works again by itself when it is back."""

import asyncio
import os
import time
from pathlib import Path

import httpx
import pytest

from jornada.bus.local_kafka import LocalKafka
from tests.live.processes import services_on


@pytest.mark.timeout(180)
@pytest.mark.skipif("JORNADA_KAFKA_BROKERS" in os.environ, reason="a broker that is not ours is not ours to kill")
async def test_with_the_broker_away_nothing_is_acked_and_it_recovers_without_a_restart(
    postgres_url: str, kafka_node: LocalKafka, tmp_path: Path
) -> None:
    async with (
        services_on(postgres_url, kafka_node.brokers, tmp_path, ["ingest"]) as system,
        httpx.AsyncClient(trust_env=False, timeout=20, auth=(system.write_key, "")) as http,
    ):

        async def send(number: int) -> httpx.Response:
            event = {"userId": "ana", "event": "Signed In", "messageId": f"away-{number}"}
            return await http.post(f"{system.urls['ingest']}/v1/track", json=event)

        async def acked() -> None:
            while True:
                if (await send(1)).status_code == 200:
                    return
                await asyncio.sleep(0.2)

        assert (await send(0)).status_code == 200
        kafka_node.kill()
        began = time.monotonic()
        answers = await asyncio.gather(*(send(number) for number in range(1, 6)))
        assert {answer.status_code for answer in answers} == {503}
        assert time.monotonic() - began < 10
        assert all(int(answer.headers["retry-after"]) <= 300 for answer in answers)
        assert all(answer.json()["code"] and answer.json()["message"] for answer in answers)
        kafka_node.restart()
        healed = time.monotonic()
        async with asyncio.timeout(30):
            await acked()
        print(f"\nfirst ack {time.monotonic() - healed:.1f} s after the broker was back")  # noqa: T201
        assert system.services["ingest"].deaths.total() == 0
