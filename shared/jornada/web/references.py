"""How a path names a subject: by our id, or by any identifier as `type:value`, one percent-encoded segment."""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from uuid import UUID

from jornada.web.problems import Problem

IDENTIFIER_TYPES = ("user_id", "anonymous_id", "email", "account")
_LONGEST = 256


class Reference(NamedTuple):
    """Either an id, or an identifier's type and value."""

    id: UUID | None
    type: str = ""
    value: str = ""


def parse_reference(segment: str, types: tuple[str, ...] = IDENTIFIER_TYPES) -> Reference:
    """Reads a path segment, still percent-encoded; raises a 400 for what is no reference.

    E-mails are trimmed and lower-cased, as they are compared; all other values stand byte for byte.
    """
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed(types) from None
    type_, colon, value = text.partition(":")
    if colon and type_ in types and value and len(value) <= _LONGEST and "\x00" not in value:
        return Reference(None, type_, value.strip().lower() if type_ == "email" else value)
    try:
        return Reference(UUID(text)) if len(text) == 36 else _fail(types)
    except ValueError:
        raise _malformed(types) from None


def _fail(types: tuple[str, ...]) -> Reference:
    raise _malformed(types)


def _malformed(types: tuple[str, ...]) -> Problem:
    forms = ", ".join(f"{type_}:…" for type_ in types)
    return Problem(400, "malformed_reference", f"A reference is an id or one of {forms}, percent-encoded.")
