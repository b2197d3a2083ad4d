"""What ingest's documents look like: the examples in its OpenAPI."""

from typing import Any

SOURCE = {"name": "billing", "role": "billing", "created_at": "2026-03-02T14:05:09.120000Z", "removed_at": None}
KEY = {
    "id": "019cafe2-6a10-7c41-b0a5-6a1b8c9d0e1f",
    "source": "billing",
    "hint": "wk_q7Rz",
    "created_at": "2026-03-02T14:05:09.120000Z",
    "revoked_at": None,
}
ISSUED = KEY | {"write_key": "wk_q7RzExampleExampleExampleExample1"}
REVOKED = KEY | {"revoked_at": "2026-03-09T08:00:00.000000Z"}
REJECTION = {
    "id": "5b2f7c1e-0c55-5b0e-9b7e-2f2f3c7c9a10",
    "cursor": "WzQxXQ",
    "source": "app",
    "received_at": "2026-03-02T14:05:09.120000Z",
    "code": "id_illegal",
    "message": "`userId` is a placeholder that would make one customer of many.",
    "message_id": "m-1",
    "event": "Report Exported",
    "payload": '{"type": "track", "event": "Report Exported", "userId": "null", "messageId": "m-1"}',
}
VERDICTS = """event: hello
data: {}

event: verdict
data: {"received_at":"2026-03-02T14:05:09.120000Z","source":"app","message_id":"m-1","status":"rejected",\
"type":"track","event":"Report Exported","code":"id_illegal",\
"message":"`userId` is a placeholder that would make one customer of many."}

event: dropped
data: {"count": 12}
"""


def page_of(item: dict[str, Any], next_: str | None = None) -> dict[str, Any]:
    """A list's document."""
    return {"items": [item], "next": next_}
