"""One accepted event, as ingest puts it on the stream."""

from datetime import datetime
from typing import Literal

import msgspec

from jornada.events.ids import MessageId, WorkspaceId

Role = Literal["product", "billing", "support", "messaging", "import"]
CallType = Literal["identify", "track", "page", "screen", "group", "alias"]

RESERVED_SOURCE = "jornada"
"""The source under which notify writes its own touchpoints; nobody else may."""


class Touchpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One accepted event, whole.

    Instants are in UTC. `occurred_at` is the event's own time, fixed at first acceptance;
    `clock_shift_ms` is what was subtracted from it because the sender's clock ran ahead.
    `body` is the event's JSON object as accepted: properties, traits, context and unknown keys included.
    `history` says that it was already older than its source's limit when it was received:
    it counts like any other and announces nothing.
    `payload_hash` (hex) tells two payloads of one message id apart; `sentAt` and `_metadata` are no part of it.
    """

    workspace: WorkspaceId
    source: str
    role: Role
    message_id: MessageId
    type: CallType
    received_at: datetime
    occurred_at: datetime
    payload_hash: str
    event: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    sent_at: datetime | None = None
    clock_shift_ms: int = 0
    history: bool = False
    body: msgspec.Raw = msgspec.Raw(b"{}")
