"""What the people of the flow tests do, as Segment's SDKs would send it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from jornada.clock import SystemClock

_now = SystemClock().now


def at(days_ago: float = 0) -> str:
    """An instant, that many days ago, as SDKs write it."""
    moment: datetime = _now() - timedelta(days=days_ago)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def track(user: str, event: str, days_ago: float = 0, **properties: Any) -> dict[str, Any]:
    """One `track`, with an id that says what it is."""
    return {
        "type": "track",
        "userId": user,
        "event": event,
        "properties": properties,
        "timestamp": at(days_ago),
        "messageId": f"{user}-{event}-{days_ago}-{properties.get('ticket_id', '')}",
    }


def identify(user: str, days_ago: float = 41, **traits: Any) -> dict[str, Any]:
    """One `identify`."""
    return {
        "type": "identify",
        "userId": user,
        "traits": traits,
        "timestamp": at(days_ago),
        "messageId": f"{user}-identify-{days_ago}",
    }


def fading(user: str, **traits: Any) -> list[dict[str, Any]]:
    """The past of somebody who used the product every day and stopped 16 days ago: yellow, all of it history."""
    return [
        identify(user, email=f"{user}@example.com", **traits),
        track(user, "Signed Up", 40),
        track(user, "Consent Updated", 40, channel="email", purpose="marketing", status="granted"),
        track(user, "Subscription Started", 39, plan="pro", mrr="490.00", currency="BRL", seats=5),
        track(user, "Support Ticket Created", 20, ticket_id="old", severity=4),
        track(user, "Support Ticket Resolved", 19, ticket_id="old"),
        *(track(user, "Report Exported", days) for days in range(16, 31)),
    ]


def last_straws(user: str) -> Iterator[dict[str, Any]]:
    """What tips a fading customer into the red, now."""
    yield track(user, "Payment Failed")
    yield track(user, "Support Ticket Created", ticket_id="a", severity=1, category="technical")
    yield track(user, "Support Ticket Created", ticket_id="b", severity=1, category="billing")
