"""Environments of the benches' own, each made by uv when it is first asked for."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

_FOLDER = Path(os.environ.get("JORNADA_DATA_DIR", ".jornada"))


@cache
def python_of(name: str, needed: Path, *options: str) -> Path | None:
    """The Python of an environment with what a requirements file names; None where it cannot be made.

    uv has then said why. `options` are those of `uv pip install`.
    """
    folder = _FOLDER / name
    python = folder / "bin" / "python"
    made = folder / "requirements.txt"
    if made.exists() and made.read_text() == needed.read_text():
        return python.absolute()
    uv = shutil.which("uv") or ".tools/bin/uv"
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *options, "-r", str(needed)],
    ):
        try:
            if subprocess.run(command, check=False).returncode:
                return None
        except OSError:
            return None
    shutil.copy(needed, made)
    return python.absolute()
