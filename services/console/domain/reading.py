"""Reads other services' JSON documents without trusting their shape: what is missing or odd is simply not there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

Document = Mapping[str, Any]
Band = Literal["green", "yellow", "red", "unknown"]
BANDS: tuple[Band, ...] = ("red", "yellow", "green", "unknown")
_NOTHING: Document = {}


def mapping(value: object) -> Document:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else _NOTHING


def mappings(value: object) -> list[Document]:
    """The objects of a list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def items(document: object) -> list[Document]:
    """The items of a page `{items, next}`, or of a bare list."""
    return mappings(document) or mappings(mapping(document).get("items"))


def number(value: object) -> float | None:
    """The value if it is a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(value: object) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def band(value: object) -> Band:
    """The value if it is a band, else `unknown`."""
    return value if value in BANDS else "unknown"


def instant(value: object) -> datetime | None:
    """The RFC 3339 instant that the value is; None where it is none."""
    try:
        at = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def money(value: object) -> Document | None:
    """The value if it is `{amount, currency}`."""
    found = mapping(value)
    return found if "amount" in found and "currency" in found else None


def segment(reference: str) -> str:
    """A reference as one percent-encoded segment of a path."""
    return quote(reference, safe="")
