"""Keeps what must be read back, as signing secrets, unreadable to who only has the database."""

import base64
import os
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet


class Seal:
    """Encrypts and decrypts with the key in a file, whatever its form (at least 32 bytes)."""

    def __init__(self, key: bytes) -> None:
        if len(key.strip()) < 32:
            raise ValueError("the secret key file must hold at least 32 bytes")
        self._fernet = Fernet(base64.urlsafe_b64encode(sha256(b"notify/secrets\x1f" + key.strip()).digest()))

    def close(self, secret: str) -> bytes:
        """The secret, encrypted."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """The secret again; raises cryptography's InvalidToken under another key."""
        return self._fernet.decrypt(sealed).decode()


def seal_of(given: Path | None, data_dir: Path) -> Seal:
    """The seal of the key file given, else of one drawn once under the data folder."""
    path = given or data_dir / "secret.key"
    if given is None and not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _draw(path)
    return Seal(path.read_bytes())


def _draw(path: Path) -> None:
    """Draws a key; of several processes that draw at once the first one's stays."""
    drawn = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(drawn, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key())
    try:
        os.link(drawn, path)
    except FileExistsError:
        pass
    finally:
        drawn.unlink()
