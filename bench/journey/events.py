"""The events: a few days of use by so many customers, a twentieth sent twice, as ingest puts them on the stream."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from jornada.events.ids import MessageId, WorkspaceId
from jornada.events.touchpoints import Touchpoint

WORKSPACE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_TWICE = 0.05
_NAMES = ("Report Exported", "Dashboard Shared", "Signed In", "Search Run")


class Told(NamedTuple):
    """A record's key and value."""

    key: bytes
    value: bytes


class Events:
    """Draws them. `zipf` lets few customers do much; else all do as much."""

    def __init__(self, customers: int, seed: int = 1, *, zipf: bool = False) -> None:
        self._customers = customers
        self._random = random.Random(seed)
        self._zipf = zipf
        self._number = 0
        self._run = f"{seed:04x}"

    def draw(self, count: int) -> Iterator[Told]:
        """So many records, those told again included."""
        before: list[Told] = []
        for _ in range(count):
            if before and self._random.random() < _TWICE:
                yield self._random.choice(before)
                continue
            told = self._next(self._customer())
            before.append(told)
            yield told

    def each(self) -> Iterator[Told]:
        """One record of every customer."""
        return (self._next(customer) for customer in range(self._customers))

    def _next(self, customer: int) -> Told:
        self._number += 1
        user = f"customer-{customer:07}"
        told = Touchpoint(
            workspace=WORKSPACE,
            source="app",
            role="product",
            message_id=MessageId(f"ajs-next-{self._run}-{self._number:010}"),
            type="track",
            received_at=BEGIN,
            occurred_at=BEGIN + timedelta(seconds=self._number * 7),
            payload_hash=f"{self._random.getrandbits(128):032x}",
            event=_NAMES[self._number % len(_NAMES)],
            user_id=user,
            anonymous_id=f"device-{customer:07}",
            body=_BODY,
        )
        return Told(f"{WORKSPACE}/{user}".encode(), msgspec.json.encode(told))

    def _customer(self) -> int:
        if not self._zipf:
            return self._random.randrange(self._customers)
        return int(self._customers ** self._random.random()) - 1


_BODY = msgspec.Raw(
    json.dumps(
        {
            "context": {
                "library": {"name": "@segment/analytics-node", "version": "2.3.0"},
                "locale": "pt-BR",
                "page": {"path": "/reports/monthly", "title": "Relatório mensal", "url": "https://app.example.com/r"},
            },
            "properties": {"format": "pdf", "pages": 12, "seconds": 1.25, "filters": ["month", "team"], "shared": True},
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
)
