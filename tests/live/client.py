"""A load client that journals what was acked, and sends again, under the same ids, what is in doubt."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_NAMES = ("Report Exported", "Dashboard Shared", "Signed In", "Search Run")


class LoadClient:
    """Sends events of a few hundred people, many of them in another order than they happened, one in five twice."""

    def __init__(self, url: str, write_key: str, seed: int, people: int = 200) -> None:
        self.acked: dict[str, set[str]] = defaultdict(set)
        self.sent = self.doubted = 0
        self._random = Random(seed)
        self._people = people
        self._url = url
        self._key = write_key
        self._number = 0
        self._sent_before: list[dict[str, Any]] = []
        self._person_of: dict[str, str] = {}
        self._http = httpx.AsyncClient(trust_env=False, timeout=20)

    @property
    def events(self) -> int:
        """How many distinct events are acked."""
        return sum(map(len, self.acked.values()))

    async def send(self, count: int) -> None:
        """Sends `count` new events and as many old ones as chance has it, in one batch, until it is acked."""
        new = [self._event() for _ in range(count)]
        again = self._random.sample(self._sent_before, min(len(self._sent_before), count // 5))
        batch = [*new, *again]
        self._random.shuffle(batch)
        while not await self._acked(batch):
            self.doubted += 1
            await asyncio.sleep(0.3)
        self._sent_before = new
        self.sent += len(batch)

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def _acked(self, batch: Sequence[dict[str, Any]]) -> bool:
        try:
            answer = await self._http.post(f"{self._url}/v1/batch", json={"batch": batch}, auth=(self._key, ""))
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        for event, verdict in zip(batch, answer.json()["results"], strict=True):
            assert verdict["status"] in ("accepted", "duplicate"), verdict
            self.acked[self._person_of[event["messageId"]]].add(event["messageId"])
        return True

    def _event(self) -> dict[str, Any]:
        """One in ten names a device beside the person, one in twenty the device alone."""
        self._number += 1
        person = self._number if self._number <= self._people else self._random.randint(1, self._people)
        happened = BEGIN + timedelta(seconds=self._random.randrange(60 * 86_400))
        event: dict[str, Any] = {
            "type": "track",
            "event": self._random.choice(_NAMES),
            "messageId": f"m-{self._number}",
            "timestamp": happened.isoformat().replace("+00:00", "Z"),
        }
        draw = self._random.random()
        if draw > 0.05 or self._number <= self._people:
            event["userId"] = f"person-{person}"
        if draw < 0.15 or self._number <= self._people:
            event["anonymousId"] = f"device-{person}"
        self._person_of[event["messageId"]] = f"person-{person}"
        return event
