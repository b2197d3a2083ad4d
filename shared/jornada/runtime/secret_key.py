"""The installation's secret key: the file given, else one that is drawn once under the data folder."""

import os
import secrets
from pathlib import Path

SHORTEST = 32


def secret_key(given: Path | None, data_dir: Path) -> bytes:
    """The key, of whatever form and at least 32 bytes. Raises ValueError for a shorter one."""
    path = given or data_dir / "secret.key"
    if given is None and not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _draw(path)
    key = path.read_bytes().strip()
    if len(key) < SHORTEST:
        raise ValueError(f"the secret key file must hold at least {SHORTEST} bytes")
    return key


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
