"""Keeps what must be read back, as signing secrets, unreadable to who only has the database."""

import base64
from hashlib import sha256

from cryptography.fernet import Fernet


class Seal:
    """Encrypts and decrypts with the installation's secret key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(sha256(b"notify/secrets\x1f" + key).digest()))

    def close(self, secret: str) -> bytes:
        """The secret, encrypted."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """The secret again; raises cryptography's InvalidToken under another key."""
        return self._fernet.decrypt(sealed).decode()
