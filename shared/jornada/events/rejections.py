"""What was refused, on its way to rest where its sender can see it."""

from datetime import datetime
from uuid import UUID

import msgspec

from jornada.events.ids import WorkspaceId


class Rejection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refused event: `code` and `message` say why; `payload` is the event as received (text, cut at 32 KiB)."""

    id: UUID
    workspace: WorkspaceId
    source: str
    received_at: datetime
    code: str
    message: str
    message_id: str | None = None
    event: str | None = None
    payload: str = ""
