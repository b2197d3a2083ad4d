"""Lists in pages: `{items, next}`, by an opaque cursor that marks a position and not a count."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query

from jornada.instants import instant, micros
from jornada.web.problems import Problem

Limit = Annotated[int, Query(ge=1, le=1_000)]

_FAR = 10**17


class Page(msgspec.Struct, frozen=True):
    """One page; `next` is the cursor of the one after it, or None at the end."""

    items: list[Any]
    next: str | None


def page(items: list[Any], next_: str | None) -> Page:
    """A page of items."""
    return Page(items, next_)


def cursor_of(*position: str | int) -> str:
    """The cursor that stands for a position: the sort key of the last item shown."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode("ascii").rstrip("=")


def position_of(cursor: str) -> list[Any]:
    """The position that a cursor stands for; a broken one is a 400."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = msgspec.json.decode(base64.urlsafe_b64decode(padded.encode("ascii")), type=list[Any])
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        position = []
    if not position:
        raise _not_ours()
    return position


def id_after(cursor: str | None) -> UUID | None:
    """The id after which a page begins, None for the first; a broken cursor is a 400."""
    if not cursor:
        return None
    try:
        return UUID(str(position_of(cursor)[0]))
    except ValueError:
        raise _not_ours() from None


def instant_after(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The instant and the id after which a page begins, None for the first; a broken cursor is a 400."""
    if not cursor:
        return None
    position = position_of(cursor)
    try:
        microseconds, id_ = position
        if type(microseconds) is not int or not 0 <= microseconds < _FAR:
            raise _not_ours()
        return instant(microseconds), UUID(str(id_))
    except ValueError:
        raise _not_ours() from None


def cursor_at(at: datetime, id_: UUID) -> str:
    """The cursor that stands for an instant and an id."""
    return cursor_of(micros(at), str(id_))


def number_after(cursor: str | None) -> int:
    """The number after which a page begins, 0 for the first; a broken cursor is a 400."""
    number = position_of(cursor)[0] if cursor else 0
    if type(number) is not int or not 0 <= number < 2**63:
        raise _not_ours()
    return number


def _not_ours() -> Problem:
    return Problem(400, "invalid_cursor", "The cursor is not one of ours.")
