"""The load: batches as Segment's SDKs send them, every message id its own."""

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

TIMESTAMP = "2026-01-02T03:04:05.678Z"
CUSTOMERS = 5_000


class Bodies:
    """HTTP requests of `size` events each; the events' ids are drawn anew for every request."""

    def __init__(self, size: int, write_key: str, path: str = "/v1/batch") -> None:
        self.size = size
        self._write_key = write_key
        self._path = path
        self._numbers = iter(range(1 << 62))
        text = json.dumps(
            {"batch": [_event()] * size, "sentAt": TIMESTAMP},
            separators=(",", ":"),
            ensure_ascii=False,
        )
        self._template = text.replace("@customer", "%04d").replace("@message", "%b%08x").encode()
        self._run = os.urandom(4).hex().encode()

    def body(self) -> bytes:
        """One body."""
        fields: list[int | bytes] = []
        for number in itertools.islice(self._numbers, self.size):
            customer = number * 7919 % CUSTOMERS
            fields += [customer, customer, self._run, number]
        return self._template % tuple(fields)

    def request(self) -> bytes:
        """One whole HTTP/1.1 request."""
        body = self.body()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"X-Write-Key: {self._write_key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def events(self, count: int) -> Iterator[dict[str, Any]]:
        """As many events, for producers without HTTP."""
        done = 0
        while done < count:
            events: Sequence[dict[str, Any]] = json.loads(self.body())["batch"]
            yield from events
            done += len(events)


def _event() -> dict[str, Any]:
    """525 bytes or so."""
    return {
        "type": "track",
        "event": "Report Exported",
        "userId": "customer-@customer",
        "anonymousId": "0191f7a2-6f1c-7a2e-9c55-00000000@customer",
        "messageId": "ajs-next-@message",
        "timestamp": TIMESTAMP,
        "context": {
            "library": {"name": "@segment/analytics-node", "version": "2.3.0"},
            "locale": "pt-BR",
            "page": {"path": "/reports/monthly", "title": "Relatório mensal", "url": "https://app.example.com/reports"},
        },
        "properties": {"format": "pdf", "pages": 12, "seconds": 1.25, "filters": ["month", "team"], "shared": True},
        "integrations": {},
    }
