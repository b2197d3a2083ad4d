"""What a JSON text says, digit for digit: two texts say the same if nothing but space, order and escapes differs."""

import json
from typing import Any, NamedTuple


class Number(NamedTuple):
    """A number as it is written."""

    digits: str


class Members(NamedTuple):
    """An object's members, each as often as it was there."""

    pairs: tuple[tuple[str, Any], ...]


def said(text: bytes) -> Any:
    """The value of a JSON text with every digit kept and every member counted."""
    return json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=_members)


def _members(pairs: list[tuple[str, Any]]) -> Members:
    return Members(tuple(sorted(pairs, key=repr)))
