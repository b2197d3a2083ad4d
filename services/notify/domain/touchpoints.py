"""What notify tells the journey: the touchpoints that are ours."""

from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from jornada.events import Identifier, MessageId, Touchpoint, WorkspaceId, derived_id, encode
from jornada.events.touchpoints import RESERVED_SOURCE

Event = Literal["Message Sent", "Message Held", "Message Suppressed"]


class Told(NamedTuple):
    """What became of one decision."""

    workspace: WorkspaceId
    decision: UUID
    campaign: str
    channel: str
    reason: str
    subject: str | None = None
    language: str | None = None


def id_of(event: Event, told: Told) -> UUID:
    """The id of a decision's touchpoint, the same whenever it is made."""
    return derived_id("touchpoint", told.workspace, told.decision, event)


def touchpoint(event: Event, told: Told, identifier: Identifier, now: datetime) -> Touchpoint:
    """The touchpoint of a decision under one of the customer's identifiers; the same event of a decision has one id."""
    properties = {
        "campaign_id": told.campaign,
        "decision_id": str(told.decision),
        "channel": told.channel,
        "reason": told.reason,
        "subject": told.subject,
        "language": told.language,
    }
    body = encode({"event": event, "properties": {name: each for name, each in properties.items() if each is not None}})
    return Touchpoint(
        workspace=told.workspace,
        source=RESERVED_SOURCE,
        role="messaging",
        message_id=MessageId(str(id_of(event, told))),
        type="track",
        event=event,
        received_at=now,
        occurred_at=now,
        payload_hash=sha256(body).hexdigest()[:32],
        user_id=identifier.value if identifier.type == "user_id" else None,
        anonymous_id=identifier.value if identifier.type == "anonymous_id" else None,
        body=msgspec.Raw(body),
    )
