"""Draws what lets in, and the only forms of it that are kept."""

import secrets
from hashlib import sha256

_BYTES = 24
_KINDS = ("wk_", "jt_")
_SHOWN = 4


def draw_write_key() -> str:
    """A new write key: `wk_` and 192 random bits."""
    return "wk_" + secrets.token_urlsafe(_BYTES)


def draw_api_token() -> str:
    """A new API token: `jt_` and 192 random bits."""
    return "jt_" + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """The SHA-256 by which a secret is stored and found (32 bytes); a drawn one is too long to be guessed from it.

    Nothing compares secrets themselves: how long a look-up takes can tell of a digest, which no sender can steer.
    """
    return sha256(secret.encode()).digest()


def hint(secret: str) -> str:
    """What lists show of a secret: its kind, and at most 4 characters or a quarter of the rest."""
    kind = next((kind for kind in _KINDS if secret.startswith(kind)), "")
    rest = secret.removeprefix(kind)
    return kind + rest[: min(_SHOWN, len(rest) // 4)]
