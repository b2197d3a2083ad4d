"""Events as the webhook destinations of Segment and of RudderStack forward them: one, or an array of them."""

import json
from typing import Any

import pytest

from services.ingest.domain.time import instant
from tests.ingest.makes import KEY, Ingest, event

PATH = "/v1/events"
SEGMENT: list[dict[str, Any]] = [
    {
        "version": 2,
        "type": "track",
        "event": "Invoice Paid",
        "userId": "u-7001",
        "anonymousId": "6f1c2d3e-8a41-4d0b-9c77-51a2f0b3c9de",
        "messageId": "ajs-next-1767000000000-6f1c2d3e",
        "properties": {"amount": "129.90", "currency": "BRL", "lines": [{"sku": "pro-12", "quantity": 1}]},
        "context": {
            "ip": "203.0.113.9",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "page": {"path": "/billing", "referrer": "", "search": "", "title": "Billing"},
            "locale": "pt-BR",
            "userAgentData": {"brands": [{"brand": "Chromium", "version": "130"}], "mobile": False},
        },
        "integrations": {"Webhooks": True, "All": False},
        "channel": "client",
        "projectId": "nQbA4sT1",
        "writeKey": "their-own-key-of-segment",
        "originalTimestamp": "2026-03-01T09:59:58.120Z",
        "sentAt": "2026-03-01T10:00:00.031Z",
        "receivedAt": "2026-03-01T10:00:00.410Z",
        "timestamp": "2026-03-01T09:59:58.499Z",
        "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
    },
    {
        "version": 1,
        "type": "identify",
        "userId": "u-7001",
        "anonymousId": None,
        "messageId": "api-1NFFGiJlqsPX6wfOXn2IuiHeQlf",
        "traits": {"email": "ana@example.com", "plan": "Pro", "seats": 12},
        "context": {"library": {"name": "unknown", "version": "unknown"}},
        "channel": "server",
        "projectId": "nQbA4sT1",
        "receivedAt": "2026-03-01T10:00:01.000Z",
        "timestamp": "2026-03-01T10:00:01.000Z",
    },
    {
        "version": 1,
        "type": "group",
        "userId": "u-7001",
        "groupId": "org-88",
        "traits": {"name": "Padaria São João", "employees": 9},
        "messageId": "api-group-1",
        "timestamp": "2026-03-01T10:00:02.276Z",
    },
]
RUDDERSTACK: list[dict[str, Any]] = [
    {
        "anonymousId": "0b9e2a5c-4f0e-46b6-a3cf-2ad1cfe6f2b1",
        "channel": "mobile",
        "context": {
            "app": {"build": "41", "name": "Padaria", "namespace": "br.example.padaria", "version": "3.2.0"},
            "device": {"id": "f1e2", "manufacturer": "Xiaomi", "model": "Redmi 6", "type": "Android"},
            "library": {"name": "com.rudderstack.android.sdk.core", "version": "1.21.0"},
            "network": {"carrier": "Vivo", "wifi": True, "bluetooth": False},
            "os": {"name": "Android", "version": "14"},
            "screen": {"density": 440, "height": 2130, "width": 1080},
            "sessionId": 1767000000,
            "traits": {"anonymousId": "0b9e2a5c-4f0e-46b6-a3cf-2ad1cfe6f2b1", "email": "rui@example.com"},
        },
        "event": "Order Completed",
        "integrations": {"All": True},
        "messageId": "1767000000123-5a4f8bd0-91c4-4d8e-a7b6-8f9d3c2b1a00",
        "originalTimestamp": "2026-03-01T15:16:51.693229+05:30",
        "properties": {"order_id": "o-31", "total": 42.5, "products": []},
        "receivedAt": "2026-03-01T09:47:02.114Z",
        "request_ip": "198.51.100.24",
        "rudderId": "e2d1c0b9-0000-4000-8000-3f5a9d7c6e21",
        "sentAt": "2026-03-01T09:47:01.872Z",
        "timestamp": "2026-03-01T09:46:51.935Z",
        "type": "track",
        "userId": "",
        "userProperties": None,
    },
    {
        "anonymousId": "0b9e2a5c-4f0e-46b6-a3cf-2ad1cfe6f2b1",
        "channel": "web",
        "context": {"campaign": {"source": "newsletter"}, "page": {"url": "https://example.com/precos"}},
        "integrations": {"All": True},
        "messageId": "b7d9f9b2-page",
        "name": "Preços",
        "originalTimestamp": "2026-03-01T09:50:00.000Z",
        "properties": {"path": "/precos", "tab_url": "https://example.com/precos"},
        "receivedAt": "2026-03-01T09:50:01.000Z",
        "request_ip": "198.51.100.24:55214",
        "rudderId": "e2d1c0b9-0000-4000-8000-3f5a9d7c6e21",
        "sentAt": "2026-03-01T09:50:00.500Z",
        "timestamp": "2026-03-01T09:50:00.500Z",
        "type": "page",
        "userId": "u-7002",
    },
]


async def sent(ingest: Ingest, body: Any) -> list[dict[str, Any]]:
    answer = await ingest.post(PATH, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.mark.parametrize("forwarded", [*SEGMENT, *RUDDERSTACK], ids=lambda each: each["messageId"])
async def test_what_is_forwarded_is_taken_whole_and_only_the_foreign_key_left_out(forwarded: dict[str, Any]) -> None:
    ingest = Ingest()
    assert await sent(ingest, forwarded) == [{"message_id": forwarded["messageId"], "status": "accepted"}]
    [touchpoint] = ingest.bus.touchpoints()
    assert json.loads(bytes(touchpoint.body)) == {key: each for key, each in forwarded.items() if key != "writeKey"}
    assert touchpoint.occurred_at == instant(forwarded.get("originalTimestamp") or forwarded["timestamp"])
    assert touchpoint.clock_shift_ms == 0


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_array_of_many_is_answered_one_by_one(slash: str) -> None:
    ingest = Ingest()
    body = [*SEGMENT, {"type": "delete", "userId": "u-7001", "timestamp": "2026-03-01T10:00:00Z"}, 7, *RUDDERSTACK]
    answer = await ingest.post(PATH + slash, json.dumps(body).encode())
    assert [each.get("code", each["status"]) for each in answer.json()["results"]] == [
        *["accepted"] * 3,
        "type_unknown",
        "not_an_object",
        *["accepted"] * 2,
    ]
    assert [each.type for each in ingest.bus.touchpoints()] == ["track", "identify", "group", "track", "page"]


async def test_a_forwarded_event_and_its_first_sending_are_one() -> None:
    ingest = Ingest()
    await ingest.post("/v1/track", json.dumps(event(type="track")).encode())
    assert (await sent(ingest, event()))[0]["status"] == "duplicate"
    assert (await sent(ingest, [event(), event()]))[1]["status"] == "duplicate"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"[", "not_json"),
        (b"[1,]", "not_json"),
        (b"[] []", "not_json"),
        (b"null", "not_an_object"),
        (b'"track"', "not_an_object"),
        (b"\xff", "not_utf8"),
        (b"[%b]" % b",".join([b"{}"] * 2_501), "too_many_events"),
    ],
)
async def test_what_is_neither_an_event_nor_an_array_cannot_be_read(body: bytes, code: str) -> None:
    answer = await Ingest().post(PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (413 if code == "too_many_events" else 400, code)


async def test_an_event_says_its_type_itself() -> None:
    for body in (event(type=...), [event(type=...)]):
        assert [each["code"] for each in await sent(Ingest(), body)] == ["type_missing"]
    assert await sent(Ingest(), []) == []


async def test_a_key_may_stand_in_the_forwarded_events() -> None:
    ingest = Ingest()
    body = json.dumps([event(writeKey=KEY), event(messageId="b", writeKey=KEY)]).encode()
    answer = await ingest.post(PATH, body, {"x-write-key": ""})
    assert answer.status_code == 200
    assert KEY.encode() not in b"".join(each.value for each in ingest.bus.records)
