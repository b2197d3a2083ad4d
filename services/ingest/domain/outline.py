"""The parts of a JSON text without building it: the slow, careful reader that no depth and no escape can stop."""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    rb"[ \t\n\r]*+(?:"
    rb"(?P<mark>[{}\[\],:])"
    rb'|(?P<text>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    rb"|(?P<plain>true|false|null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
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


def outline(text: bytes) -> Outline:
    """Checks the whole text and returns its outermost parts, values as they were written. Raises NotJson."""
    scan = _Scan(text)
    at = 0
    while scan.open or not scan.parts_done:
        token = _TOKEN.match(text, at)
        if token is None:
            raise NotJson(f"malformed at byte {at}")
        scan.take(token)
        at = token.end()
    if _END.match(text, at) is None:
        raise NotJson(f"something follows the value at byte {at}")
    return Outline(scan.kind, scan.parts)


class _Scan:
    """A grammar's state: what may come next, and which brackets stand open."""

    def __init__(self, text: bytes) -> None:
        self.kind = ""
        self.parts: list[Part] = []
        self.parts_done = False
        self.open = bytearray()
        self._text = text
        self._next = "value"
        self._key: bytes | None = None
        self._began = 0

    def take(self, token: re.Match[bytes]) -> None:
        mark = token["mark"]
        expected = self._next
        if mark is None and token["text"] is not None and expected in {"key", "key or end"}:
            self._named(token)
        elif mark in {None, b"{", b"["} and expected in {"value", "value or end"}:
            self._valued(token, mark)
        elif mark == b":" and expected == "colon":
            self._next = "value"
        elif mark == b"," and expected == "comma or end":
            self._next = "key" if bytes(self.open[-1:]) == b"{" else "value"
        elif mark in {b"}", b"]"} and expected.endswith("or end") and self._closes(mark):
            self._closed(token)
        else:
            raise NotJson(f"malformed at byte {token.start()}")

    def _named(self, token: re.Match[bytes]) -> None:
        if len(self.open) == 1:
            self._key = token["text"]
        self._next = "colon"

    def _valued(self, token: re.Match[bytes], mark: bytes | None) -> None:
        if len(self.open) == 1:
            self._began = token.start(token.lastgroup or 0)
        if mark is None:
            self._ended(token)
            return
        if not self.open:
            self.kind = mark.decode()
        self.open += mark
        self._next = "key or end" if mark == b"{" else "value or end"

    def _closes(self, mark: bytes) -> bool:
        return bytes(self.open[-1:]) == (b"{" if mark == b"}" else b"[")

    def _closed(self, token: re.Match[bytes]) -> None:
        self.open.pop()
        self._ended(token)

    def _ended(self, token: re.Match[bytes]) -> None:
        self._next = "comma or end"
        if len(self.open) == 1:
            self.parts.append(Part(self._key, self._text[self._began : token.end()]))
        elif not self.open:
            self.parts_done = True
