"""The installation's secret key and what its services share: the files given, else drawn once under the data folder."""

import os
import secrets
from pathlib import Path

SHORTEST = 32


def secret_key(given: Path | None, data_dir: Path) -> bytes:
    """The key, of whatever form and at least 32 bytes. Raises ValueError for a shorter one."""
    key = _read(given, data_dir / "secret.key")
    if len(key) < SHORTEST:
        raise ValueError(f"the secret key file must hold at least {SHORTEST} bytes")
    return key


def internal_token(given: Path | None, data_dir: Path, mode: str) -> bytes | None:
    """What the services show each other, at least 32 bytes of ASCII; None where a server was given none.

    Raises ValueError for a shorter one, or one that no header can carry.
    """
    if given is None and mode != "local":
        return None
    token = _read(given, data_dir / "internal.token")
    if len(token) < SHORTEST or not (token.isascii() and token.decode().isprintable()) or b" " in token:
        raise ValueError(f"the internal token file must hold at least {SHORTEST} ASCII letters and digits")
    return token


def _read(given: Path | None, drawn: Path) -> bytes:
    if given is None and not drawn.exists():
        drawn.parent.mkdir(parents=True, exist_ok=True)
        _draw(drawn)
    return (given or drawn).read_bytes().strip()


def _draw(path: Path) -> None:
    """Draws a key; of several processes that draw at once the first one's stays."""
    drawn = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(drawn, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(SHORTEST).encode())
    try:
        os.link(drawn, path)
    except FileExistsError:
        pass
    finally:
        drawn.unlink()
