"""The environment of the peers, made by uv when it is first asked for."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

_FOLDER = Path(os.environ.get("JORNADA_DATA_DIR", ".jornada")) / "peers"
_NEEDED = Path(__file__).parent / "requirements.txt"


@cache
def peers_python() -> Path | None:
    """Its Python; None where it cannot be made, which uv has then said why."""
    python = _FOLDER / "bin" / "python"
    made = _FOLDER / "requirements.txt"
    if made.exists() and made.read_text() == _NEEDED.read_text():
        return python.absolute()
    uv = shutil.which("uv") or ".tools/bin/uv"
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(_FOLDER)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(_NEEDED)],
    ):
        try:
            if subprocess.run(command, check=False).returncode:
                return None
        except OSError:
            return None
    shutil.copy(_NEEDED, made)
    return python.absolute()
