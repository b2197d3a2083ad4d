"""Customers with a device, an e-mail, an account and acts of use: the touchpoints that are told again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from jornada.events import MessageId, Touchpoint, WorkspaceId, encode

EACH = 10
"""Touchpoints a customer."""

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_EVENTS = ("Report Exported", "Signed In", "Dashboard Shared", "Order Completed")


def lives(workspace: WorkspaceId, customers: int) -> Iterator[Touchpoint]:
    """Customer by customer; one in five shares a device with the one before, twenty are of an account."""
    for number in range(customers):
        device = f"device-{number - (number % 5 == 4)}"
        yield _touchpoint(workspace, number, 0, type="page", anonymous_id=device)
        mail = {"traits": {"email": f"c{number}@example.com", "name": f"Customer {number}"}}
        yield _touchpoint(workspace, number, 1, mail, type="identify", anonymous_id=device, user_id=f"user-{number}")
        yield _touchpoint(workspace, number, 2, type="group", user_id=f"user-{number}", group_id=f"org-{number // 20}")
        for step in range(3, EACH):
            given: dict[str, Any] = {"user_id": f"user-{number}"} if step % 3 else {"anonymous_id": device}
            properties = {"properties": {"revenue": number % 90 + 0.99, "step": step}}
            event = _EVENTS[(number + step) % len(_EVENTS)]
            yield _touchpoint(workspace, number, step, properties, type="track", event=event, **given)


def _touchpoint(workspace: WorkspaceId, number: int, step: int, body: object = None, **given: Any) -> Touchpoint:
    at = _BEGIN + timedelta(hours=number % 700 + 11 * step, seconds=number % 3_600)
    return Touchpoint(
        workspace=workspace,
        source="app",
        role="product",
        message_id=MessageId(f"m{number}.{step}"),
        received_at=at,
        occurred_at=at,
        payload_hash=f"{number:016x}{step:016x}",
        body=msgspec.Raw(encode(body or {})),
        **given,
    )
