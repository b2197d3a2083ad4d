"""Who is logged in: a sealed cookie that carries the API token, and what protects its POSTs."""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jornada.clock import Clock

COOKIE = "jornada_session"
_LONGEST_TOKEN = 512


@dataclass(frozen=True, slots=True)
class Session:
    """A viewer's API token, and the CSRF token that goes with this session alone."""

    api_token: str = field(repr=False)
    csrf: str = field(repr=False)


class Sessions:
    """Seals API tokens into cookies and opens them again; nothing is kept here, so any replica can."""

    def __init__(self, secret: bytes, clock: Clock, lasts: timedelta) -> None:
        self._fernet = Fernet(urlsafe_b64encode(_derived(secret, b"jornada console session")))
        self._csrf_key = _derived(secret, b"jornada console csrf")
        self._clock = clock
        self.seconds = int(lasts.total_seconds())

    def seal(self, api_token: str) -> str:
        """A cookie's value."""
        return self._fernet.encrypt_at_time(api_token.encode(), self._now()).decode("ascii")

    def opened(self, cookie: str | None) -> Session | None:
        """The session in a cookie; None where it is missing, forged or too old."""
        if not cookie:
            return None
        try:
            token = self._fernet.decrypt_at_time(cookie.encode(), self.seconds, self._now()).decode()
        except (InvalidToken, UnicodeError):
            return None
        return Session(token, self._csrf(cookie))

    def _csrf(self, cookie: str) -> str:
        return hmac.new(self._csrf_key, cookie.encode(), sha256).hexdigest()

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def plausible(api_token: str) -> bool:
    """Whether a pasted text could be an API token at all (and may stand in a header)."""
    return (
        0 < len(api_token) <= _LONGEST_TOKEN
        and api_token.isascii()
        and api_token.isprintable()
        and " " not in api_token
    )


def same(given: str, expected: str) -> bool:
    """Compares two secrets in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)
