"""The load: batches as Segment's SDKs send them, every message id its own."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

TIMESTAMP = "2026-01-02T03:04:05.678Z"


class Bodies:
    """HTTP requests of `size` events each; the events' ids are drawn anew for every request."""

    def __init__(self, size: int, write_key: str, path: str = "/v1/batch") -> None:
        self.size = size
        self._write_key = write_key
        self._path = path
        self._numbers = iter(range(1 << 62))
        text = json.dumps(
            {"batch": [_event(slot) for slot in range(size)], "sentAt": TIMESTAMP},
            separators=(",", ":"),
            ensure_ascii=False,
        )
        self._pieces = text.encode().split(b"@@@@@@@@@@@@@@@@")
        self._run = os.urandom(4).hex().encode()

    def body(self) -> bytes:
        """One body."""
        pieces = [self._pieces[0]]
        for piece in self._pieces[1:]:
            pieces += [b"%b%08x" % (self._run, next(self._numbers)), piece]
        return b"".join(pieces)

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


def _event(slot: int) -> dict[str, Any]:
    """525 bytes or so."""
    return {
        "type": "track",
        "event": "Report Exported",
        "userId": f"customer-{slot * 7919 % 5000}",
        "anonymousId": f"0191f7a2-6f1c-7a2e-9c55-{slot * 7919:012d}"[:36],
        "messageId": "ajs-next-@@@@@@@@@@@@@@@@",
        "timestamp": TIMESTAMP,
        "context": {
            "library": {"name": "@segment/analytics-node", "version": "2.3.0"},
            "locale": "pt-BR",
            "page": {"path": "/reports/monthly", "title": "Relatório mensal", "url": "https://app.example.com/reports"},
        },
        "properties": {"format": "pdf", "pages": 12, "seconds": 1.25, "filters": ["month", "team"], "shared": True},
        "integrations": {},
    }
