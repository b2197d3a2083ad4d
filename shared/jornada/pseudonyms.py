"""Names that tell nothing: identifiers as keyed hashes, so that an erased one is known again and kept nowhere."""

import hmac
import json
import re
from collections.abc import Iterator
from hashlib import blake2b
from uuid import UUID

TYPES = ("user_id", "anonymous_id", "email")
"""The types of identifiers that name a person."""

_NAMING = re.compile(
    r'"(?:userId|user_id|anonymousId|anonymous_id|previousId|previous_id|email|subject)"'
    r'\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)'
)
_ESCAPED = re.compile(r'\\(["\\])')
_DEEPEST = 4


class Pseudonyms:
    """Hashes under the installation's secret key. Whoever has the key can tell whether an identifier was erased."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret.strip(), b"jornada/erased", "sha256")
        self._hourly = hmac.digest(secret.strip(), b"jornada/counted", "sha256")

    def of(self, workspace: UUID, type_: str, value: str) -> str:
        """The pseudonym of an identifier (hex); of none in two workspaces the same."""
        return hmac.digest(self._key, f"{workspace}\x1f{type_}\x1f{value}".encode(), "sha256").hex()

    def within_hour(self, hour: int, id_: UUID) -> int:
        """32 bits for whom to count once in an hour (whole hours since 1970): in the next one they are others."""
        hashed = blake2b(id_.bytes, key=self._hourly, salt=hour.to_bytes(8, signed=True), digest_size=4)
        return int.from_bytes(hashed.digest())

    def within(self, workspace: UUID, text: str) -> set[str]:
        """The pseudonyms of all that a text may name somebody by: an event, whole or cut off, or a record with one."""
        found = set()
        for value in _values(text):
            found |= {self.of(workspace, type_, value) for type_ in ("user_id", "anonymous_id")}
            found.add(self.of(workspace, "email", value.strip().lower()))
        return found


def _values(text: str) -> Iterator[str]:
    """The values under the names that identify; an event may be a text within a record, and so escaped."""
    for _ in range(_DEEPEST):
        for found in _NAMING.findall(text):
            value = _plain(found)
            yield value
            type_, colon, rest = value.partition(":")
            if colon and type_ in TYPES:
                yield rest
        unescaped = _ESCAPED.sub(r"\1", text)
        if unescaped == text:
            return
        text = unescaped


def _plain(found: str) -> str:
    try:
        return str(json.loads(found))
    except ValueError:
        return found.strip('"')
