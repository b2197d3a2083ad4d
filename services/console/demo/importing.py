"""Sends batches to ingest, several at a time, again where it is told to wait; and waits until all is worked on."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx

_IN_FLIGHT = 4
_TRIES = 12
_WAIT_MAX = 30.0


class NotTaken(Exception):
    """Ingest would not take a batch."""


class Collector:
    """Ingest's import, with a write key."""

    def __init__(self, client: httpx.AsyncClient, ingest_url: str, write_key: str) -> None:
        self._client = client
        self._url = f"{ingest_url}/v1/import"
        self._key = write_key

    async def send(self, bodies: Iterable[bytes], sent: Callable[[int], None]) -> Counter[str]:
        """Sends every body; how many events were accepted, duplicate, rejected. `sent` hears of each batch's events."""
        verdicts: Counter[str] = Counter()
        waiting = iter(bodies)
        async with asyncio.TaskGroup() as group:
            for _ in range(_IN_FLIGHT):
                group.create_task(self._sender(waiting, verdicts, sent))
        return verdicts

    async def _sender(self, waiting: Iterator[bytes], verdicts: Counter[str], sent: Callable[[int], None]) -> None:
        for body in waiting:
            found = Counter(result["status"] for result in await self._taken(body))
            verdicts.update(found)
            sent(found.total())

    async def _taken(self, body: bytes) -> list[dict[str, Any]]:
        for attempt in range(_TRIES):
            answer = await self._posted(body)
            if answer is not None and answer.status_code == 200:
                results: list[dict[str, Any]] = answer.json()["results"]
                return results
            if answer is not None and answer.status_code not in {429, 502, 503, 504}:
                raise NotTaken(f"ingest answered {answer.status_code}: {answer.text[:200]}")
            await asyncio.sleep(_pause(answer, attempt))
        raise NotTaken("ingest does not take the events; is it up?")

    async def _posted(self, body: bytes) -> httpx.Response | None:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        try:
            return await self._client.post(self._url, content=body, headers=headers)
        except httpx.TransportError:
            return None


def _pause(answer: httpx.Response | None, attempt: int) -> float:
    asked = answer.headers.get("retry-after", "") if answer is not None else ""
    return min(float(asked) if asked.isdigit() else 0.5 * 2**attempt, _WAIT_MAX)


async def caught_up(
    client: httpx.AsyncClient, urls: Iterable[str], left: Callable[[int], None], *, patience_seconds: float
) -> bool:
    """Waits until each service, in the order of the stream, is caught up; False when patience ends first.

    `left` hears how many records are still to be worked on.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + patience_seconds
    for url in urls:
        while (lag := await _lag(client, url)) is None or not lag["caught_up"]:
            if clock() > until:
                return False
            if lag is not None:
                left(sum(each["end"] - each["position"] for each in lag["partitions"]) + lag["due"])
            await asyncio.sleep(0.5)
    left(0)
    return True


async def _lag(client: httpx.AsyncClient, url: str) -> dict[str, Any] | None:
    try:
        answer = await client.get(f"{url}/v1/lag")
        return answer.json() if answer.status_code == 200 else None
    except (httpx.TransportError, ValueError):
        return None
