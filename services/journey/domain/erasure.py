"""What falls under an erasure, and what an account's own touchpoint is without the person whom it names."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from jornada.events import Touchpoint, encode

_ACCOUNTS = frozenset(
    {"type", "messageId", "event", "name", "category", "groupId", "channel", "properties"}
    | {"timestamp", "originalTimestamp", "sentAt"}
)
"""The parts of a body that tell of an account's dealings, not of whom it was that dealt."""


class Mark(NamedTuple):
    """What an erased name stands for: the latest erasure of it. With `block` nobody begins anew under it."""

    erasure: UUID
    erased_at: datetime
    block: bool


def falls(occurred_at: datetime, marks: Iterable[Mark]) -> Mark | None:
    """The erasure under which an event falls that names these; None where it is of later, and may begin somebody."""
    return next((mark for mark in sorted(marks) if mark.block or occurred_at <= mark.erased_at), None)


def without_person(touchpoint: Touchpoint) -> Touchpoint:
    """The touchpoint as its account keeps it."""
    body: dict[str, msgspec.Raw] = msgspec.json.decode(touchpoint.body, type=dict[str, msgspec.Raw])
    kept = {name: value for name, value in body.items() if name in _ACCOUNTS}
    return msgspec.structs.replace(
        touchpoint, user_id=None, anonymous_id=None, previous_id=None, payload_hash="", body=msgspec.Raw(encode(kept))
    )
