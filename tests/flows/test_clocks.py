"""Three clocks of one event, and what was done about a wrong one, are to be seen on the customer's path."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.flows.people import at
from tests.flows.system import System

AHEAD = timedelta(hours=1, minutes=30)


def stated(days_ago: float, ahead: timedelta = timedelta()) -> str:
    """An instant as a clock that runs ahead would tell it."""
    return at(days_ago - ahead / timedelta(days=1))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def send(system: System, *events: dict[str, Any], **top: Any) -> None:
    body = {"batch": [{"type": "track", **each} for each in events], **top}
    answer = await system.http.post(f"{system.urls['ingest']}/v1/batch", json=body, auth=(system.write_key, ""))
    assert answer.status_code == 200, answer.text
    assert {each["status"] for each in answer.json()["results"]} == {"accepted"}, answer.text
    await system.settled()


async def test_a_clock_that_runs_ahead_is_corrected_and_the_correction_is_told(system: System) -> None:
    first = {"userId": "clara", "event": "Report Exported", "messageId": "c1", "timestamp": stated(0.02, AHEAD)}
    second = {
        "userId": "clara",
        "event": "Dashboard Shared",
        "messageId": "c2",
        "originalTimestamp": stated(0.01, AHEAD),
        "timestamp": "1999-01-01T00:00:00Z",
        "sentAt": stated(0, AHEAD),
        "context": {"library": {"name": "x", "version": "1.10"}},
        "properties": {"price": 1.10},
        "own": [1, 2],
    }
    await send(system, first, second)
    path = (await system.ask("journey", "/v1/customers/user_id:clara/touchpoints"))["items"]
    assert [each["message_id"] for each in path] == ["c2", "c1"]
    [shift] = {each["clock_shift_ms"] for each in path}
    assert abs(timedelta(milliseconds=shift) - AHEAD) < timedelta(minutes=1)
    for told, own in zip(path, (second["originalTimestamp"], first["timestamp"]), strict=True):
        moved = instant(str(own)) - instant(told["occurred_at"])
        assert abs(moved - timedelta(milliseconds=shift)) <= timedelta(milliseconds=1)
        assert instant(told["occurred_at"]) < instant(told["received_at"])
    assert (path[0]["sent_at"] is None, path[1]["sent_at"]) == (False, None)
    one = await system.ask("journey", "/v1/customers/user_id:clara/touchpoints/c2", source="app")
    assert one["body"] == {"type": "track", **second}
    assert one["clock_shift_ms"] == shift
    assert instant(one["sent_at"]) == instant(str(second["sentAt"]))


async def test_a_late_send_or_a_broken_clock_moves_nothing_and_is_kept_as_given(system: System) -> None:
    late = {"userId": "livia", "event": "Report Exported", "messageId": "l1", "timestamp": stated(0.5)}
    broken = {
        **late,
        "messageId": "l2",
        "sentAt": "yesterday",
        "originalTimestamp": "2026-03-01T12:00:00.123456789+02:00",
    }
    await send(system, late, sentAt=stated(0.4))
    await send(system, broken)
    told = {each["message_id"]: each for each in await path_of(system, "livia")}
    assert {each["clock_shift_ms"] for each in told.values()} == {0}
    assert instant(told["l1"]["occurred_at"]) == instant(str(late["timestamp"]))
    assert instant(told["l1"]["sent_at"]) < instant(told["l1"]["received_at"]) - timedelta(hours=9)
    assert (told["l2"]["occurred_at"], told["l2"]["sent_at"]) == ("2026-03-01T10:00:00.123456Z", None)
    one = await system.ask("journey", "/v1/customers/user_id:livia/touchpoints/l2", source="app")
    assert (one["body"]["sentAt"], one["body"]["originalTimestamp"]) == ("yesterday", broken["originalTimestamp"])


async def path_of(system: System, user: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await system.ask("journey", f"/v1/customers/user_id:{user}/touchpoints"))["items"]
    return items
