"""Finds the write key that a request's headers carry, however its SDK sends it."""

import base64
import binascii

_LONGEST = 256


def header_key(headers: dict[bytes, bytes]) -> str | None:
    """The key as Basic user name, else Bearer, else `X-Write-Key`; None where there is none."""
    kind, _, value = headers.get(b"authorization", b"").strip().partition(b" ")
    if kind.lower() == b"basic":
        try:
            user = base64.b64decode(value.strip(), validate=True).partition(b":")[0]
        except binascii.Error:
            return value.decode("latin-1") or None
        if user:
            return user.decode("latin-1")
    if kind.lower() == b"bearer" and value.strip():
        return value.strip().decode("latin-1")
    return headers.get(b"x-write-key", b"").strip().decode("latin-1") or None


def plausible(key: str) -> bool:
    """Whether it can be a key at all; what cannot is not worth a look-up."""
    return 0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()
