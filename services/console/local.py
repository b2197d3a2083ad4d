"""What a laptop gives the console: a secret that lasts, and login links that work once."""

import json
import os
import secrets
from pathlib import Path

from services.console.sessions import same

LOGINS = {"console-login": "dev.json", "cdnow-login": "cdnow.json"}
"""File of a login code → file of the keys that its link logs in with."""


def secret_of(folder: Path) -> bytes:
    """The secret that seals local sessions: drawn the first time, kept under the data folder (0600)."""
    file = folder / "console-secret"
    if not file.exists():
        write_private(file, secrets.token_hex(32))
    return file.read_bytes()


def new_login(folder: Path, name: str = "console-login") -> str:
    """Draws the code of the next login link and keeps it; the one before works no more."""
    code = secrets.token_urlsafe(18)
    write_private(folder / name, code)
    return code


def redeem(folder: Path, code: str) -> str | None:
    """The API token that an unused code stands for, and draws its successor; None for any other."""
    for login, keys in LOGINS.items():
        file = folder / login
        if code and file.exists() and (folder / keys).exists() and same(code, file.read_text().strip()):
            new_login(folder, login)
            return str(json.loads((folder / keys).read_text())["api_token"])
    return None


def kept_keys(folder: Path) -> list[dict[str, str]]:
    """The workspaces' keys that are kept under the data folder: `workspace`, `write_key`, `api_token` of each."""
    return [json.loads((folder / keys).read_text()) for keys in LOGINS.values() if (folder / keys).exists()]


def write_private(file: Path, text: str) -> None:
    """Puts a text into a file that only its owner reads, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    draft.replace(file)
