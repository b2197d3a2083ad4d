"""A load client with an open loop: it sends on time whatever becomes of what it sent, and journals every answer."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

LARGE = 8_000


@dataclass
class Call:
    """One batch of one person. `status` 0 is a broken connection; the outcome of anything but 200 is unknown."""

    ids: tuple[str, ...]
    sent_at: float
    large: bool
    body: dict[str, Any]
    answered_at: float = 0.0
    status: int = 0
    said: str = ""
    retry_after: str = ""

    @property
    def person(self) -> str:
        """Whose events these are; all of them go to one partition."""
        return str(self.body["batch"][0]["userId"])

    @property
    def seconds(self) -> float:
        """From sending to the answer."""
        return self.answered_at - self.sent_at

    @property
    def patient(self) -> bool:
        """Whether a 503 says how to go on: when to come back, and in words both people and programs read."""
        return self.retry_after.isdigit() and 0 < int(self.retry_after) <= 300 and '"code"' in self.said


class Sender:
    """Sends `rate` batches a second of `size` events each, one in ten with a large event that will not shrink."""

    def __init__(self, url: str, write_key: str, run: str, seed: int, *, rate: float = 50, size: int = 4) -> None:
        self.calls: list[Call] = []
        self._address = (urlsplit(url).hostname, urlsplit(url).port)
        self._key = b64encode(f"{write_key}:".encode()).decode()
        self._run = run
        self._random = Random(seed)
        self._pause = 1 / rate
        self._size = size
        self._out: set[asyncio.Task[None]] = set()
        self._sending: asyncio.Task[None] | None = None

    @property
    def acked(self) -> set[str]:
        """The ids in a whole 200."""
        return {each for call in self.calls if call.status == 200 for each in call.ids}

    def start(self) -> None:
        """Sends from now on."""
        self._sending = asyncio.create_task(self._send())

    async def stop(self) -> None:
        """Stops sending and waits for what is out."""
        if self._sending is not None:
            self._sending.cancel()
        if self._out:
            await asyncio.wait(self._out)

    async def send_again(self) -> Sequence[Call]:
        """Sends again, under the same ids, whatever is in doubt; the new calls."""
        doubted = [call for call in self.calls if call.status != 200]
        again = [Call(call.ids, 0.0, call.large, call.body) for call in doubted]
        gate = asyncio.Semaphore(20)

        async def one(call: Call) -> None:
            async with gate:
                call.sent_at = time.monotonic()
                await self._make(call)

        await asyncio.gather(*(one(call) for call in again))
        return again

    async def _send(self) -> None:
        at = time.monotonic()
        while True:
            task = asyncio.create_task(self._make(self._next()))
            self._out.add(task)
            task.add_done_callback(self._out.discard)
            at += self._pause
            await asyncio.sleep(max(0.0, at - time.monotonic()))

    def _next(self) -> Call:
        number = len(self.calls)
        large = number % 10 == 0
        person = f"person-{self._random.randrange(500)}"
        events: list[dict[str, Any]] = [
            {"type": "track", "event": "Signed In", "userId": person, "messageId": f"{self._run}-{number}-{each}"}
            for each in range(self._size)
        ]
        if large:
            events[0]["properties"] = {"noise": self._random.randbytes(LARGE // 2).hex()}
        ids = tuple(str(event["messageId"]) for event in events)
        call = Call(ids, time.monotonic(), large, {"batch": events})
        self.calls.append(call)
        return call

    async def _make(self, call: Call) -> None:
        try:
            async with asyncio.timeout(30):
                head, _, body = (await self._exchange(call.body)).partition(b"\r\n\r\n")
            status, *lines = head.decode().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            call.status, call.retry_after = int(status.split()[1]), headers.get("retry-after", "")
            call.said = body[:200].decode()
            if call.status == 200:
                assert {each["status"] for each in json.loads(body)["results"]} <= {"accepted", "duplicate"}
        except (OSError, TimeoutError, IndexError, ValueError) as error:
            # Cut off before its end: whatever was read of it counts for nothing.
            call.status, call.said = 0, type(error).__name__
        call.answered_at = time.monotonic()

    async def _exchange(self, document: dict[str, Any]) -> bytes:
        """A connection for each call: pools of clients grow slow with many out, and would be measured instead."""
        body = json.dumps(document)
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(
                f"POST /v1/batch HTTP/1.1\r\nHost: ingest\r\nConnection: close\r\nAuthorization: Basic {self._key}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()
