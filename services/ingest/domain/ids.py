"""Which ids name one person, and which would merge everybody."""

import unicodedata
from typing import NamedTuple

from services.ingest.domain.codes import Refusal

_LONGEST = 256
_LONGEST_MESSAGE_ID = 100
_EVERYBODY = frozenset({"", "null", "undefined", "anonymous", "0", "-1", "nan", "true", "[object object]", "guest"})


class BadId(NamedTuple):
    """Why an id cannot be taken."""

    code: Refusal
    message: str


def identifier(name: str, value: object) -> str | BadId | None:
    """The id as text, None for an absent one (`null`, empty), or why not. An integer is taken as its decimal text."""
    if value is None or value == "":
        return None
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or len(value) > _LONGEST or not (value.isprintable() or _is_free_of_controls(value)):
        return BadId("id_invalid", f"`{name}` is a text of 1 to {_LONGEST} characters without control characters.")
    text = value.strip().lower()
    if text in _EVERYBODY or (text[-1] in "0-" and _is_zeros(text)):
        return BadId("id_illegal", f"`{name}` is a placeholder that would make one customer of many.")
    return value


def message_id(value: object) -> str | BadId | None:
    """The message id, None for an absent one (`null`, empty), or why not."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) <= _LONGEST_MESSAGE_ID and value.isprintable():
        return value
    return BadId("message_id_invalid", f"`messageId` is a text of 1 to {_LONGEST_MESSAGE_ID} printable characters.")


def _is_free_of_controls(text: str) -> bool:
    return all(unicodedata.category(character) != "Cc" for character in text)


def _is_zeros(text: str) -> bool:
    return "0" in text and not text.strip("0-")
