"""The parts of a JSON text without building it: the slow, careful reader that no depth and no escape can stop."""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    rb"[ \t\n\r]*+(?:(\{)|(\[)|(\})|(\])|(,)|(:)"
    rb'|("(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    rb"|(true|false|null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
    rb")"
)
_END = re.compile(rb"[ \t\n\r]*+\Z")


class NotJson(ValueError):
    """The bytes are no RFC 8259 JSON text."""


class Part(NamedTuple):
    """A member of the outermost object (its key as written, quotes and escapes included) or array (no key)."""

    key: bytes | None
    value: bytes


class Outline(NamedTuple):
    """The outermost value: `{`, `[` or, for any other, an empty kind; and its parts."""

    kind: str
    parts: list[Part]


_BEGIN_OBJECT, _BEGIN_ARRAY, _END_OBJECT, _END_ARRAY, _COMMA, _COLON, _TEXT, _PLAIN = range(1, 9)
"""What a token is: the number of its group in _TOKEN."""
_START, _DONE, _IN_ARRAY, _ITEM, _AFTER_ITEM, _IN_OBJECT, _KEY, _AFTER_KEY, _MEMBER, _AFTER_MEMBER = range(10)
"""Where one stands: what may come next depends on nothing else."""


def _values(after: int) -> dict[int | None, int]:
    return {_BEGIN_OBJECT: _IN_OBJECT, _BEGIN_ARRAY: _IN_ARRAY, _TEXT: after, _PLAIN: after}


_NEXT: list[dict[int | None, int]] = [
    {**_values(_DONE)},
    {},
    {**_values(_AFTER_ITEM), _END_ARRAY: _DONE},
    {**_values(_AFTER_ITEM)},
    {_COMMA: _ITEM, _END_ARRAY: _DONE},
    {_TEXT: _AFTER_KEY, _END_OBJECT: _DONE},
    {_TEXT: _AFTER_KEY},
    {_COLON: _MEMBER},
    {**_values(_AFTER_MEMBER)},
    {_COMMA: _KEY, _END_OBJECT: _DONE},
]
"""For each place the tokens that may come, and where one stands after them; `_DONE` with one bracket."""
_AFTER_ALL = [_DONE, _DONE, _AFTER_ITEM, _AFTER_ITEM, _DONE, _DONE, _DONE, _DONE, _AFTER_MEMBER, _DONE]
"""Where one stands after the whole of a value that began in a place."""


def outline(text: bytes) -> Outline:
    """Checks the whole text and returns its outermost parts, values as they were written. Raises NotJson."""
    parts: list[Part] = []
    open_: list[int] = []
    state, at, began, key, match = _START, 0, 0, None, _TOKEN.match
    while state != _DONE:
        token = match(text, at)
        kind = token.lastindex if token else None
        before, state = state, _NEXT[state].get(kind, -1)
        if token is None or kind is None or state < 0:
            raise NotJson(f"malformed at byte {at}")
        at = token.end()
        if len(open_) == 1:
            if before in {_IN_OBJECT, _KEY}:
                key = token[_TEXT]
            elif kind not in {_COMMA, _COLON}:
                began = token.start(kind)
        if kind <= _BEGIN_ARRAY:
            open_.append(_AFTER_ALL[before])
        elif kind <= _END_ARRAY:
            state = open_.pop()
        if len(open_) == 1 and state in {_AFTER_ITEM, _AFTER_MEMBER} and kind > _BEGIN_ARRAY:
            parts.append(Part(key, text[began:at]))
    if _END.match(text, at) is None:
        raise NotJson(f"something follows the value at byte {at}")
    first = text.lstrip()[:1].decode()
    return Outline(first if first in {"{", "["} else "", parts)
