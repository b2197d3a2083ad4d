"""Finds the write key that a request's headers carry, however its SDK sends it."""

import base64
import binascii
from functools import lru_cache

from jornada.web import Head

_LONGEST = 256


def header_key(head: Head) -> str | None:
    """The key as Basic user name, else Bearer, else `X-Write-Key`; None where there is none."""
    return _key(head.get(b"authorization") or b"", head.get(b"x-write-key") or b"")


@lru_cache(1_000)
def _key(authorization: bytes, x_write_key: bytes) -> str | None:
    kind, _, value = authorization.strip().partition(b" ")
    if kind.lower() == b"basic":
        try:
            user = base64.b64decode(value.strip(), validate=True).partition(b":")[0]
        except binascii.Error:
            return value.decode("latin-1") or None
        if user:
            return user.decode("latin-1")
    if kind.lower() == b"bearer" and value.strip():
        return value.strip().decode("latin-1")
    return x_write_key.strip().decode("latin-1") or None


@lru_cache(1_000)
def plausible(key: str) -> bool:
    """Whether it can be a key at all; what cannot is not worth a look-up."""
    return 0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()
