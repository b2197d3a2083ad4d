"""Where the deployment files are, and how the programs that judge them are called."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy/k8s/base"
SERVICES = ("console", "ingest", "journey", "notify", "scoring")


def run(
    program: str, *arguments: str | Path, text: str = "", variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a program of this environment, with no JORNADA_ variable but `variables`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JORNADA_")}
    return subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        input=text,
        env=environment | dict(variables or {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
