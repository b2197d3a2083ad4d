"""Identities: drawn ids for what is new, derived ids for what must come out the same twice."""

from typing import Literal, NewType
from uuid import UUID, uuid5

import uuid_utils
import uuid_utils.compat

WorkspaceId = NewType("WorkspaceId", UUID)
SubjectId = NewType("SubjectId", UUID)
MessageId = NewType("MessageId", str)
SubjectType = Literal["customer", "account"]

_DERIVED = UUID("6f0d8f5e-6a3f-5c8e-9a55-4a6f726e6164")


def new_id() -> UUID:
    """Draws an id that sorts by time (UUIDv7)."""
    return uuid_utils.compat.uuid7()


def new_text_id() -> str:
    """As `new_id`, as text: for ids drawn by the thousand."""
    return str(uuid_utils.uuid7())


def derived_id(*parts: object) -> UUID:
    """Derives the id that the same parts always give (UUIDv5); parts are told apart by a unit separator."""
    return uuid5(_DERIVED, "\x1f".join(str(part) for part in parts))
