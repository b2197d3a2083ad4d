"""Processes as the local Postgres needs them: who they are, how they end, and a user without privileges."""

import logging
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import Signals
from typing import NamedTuple

_log = logging.getLogger(__name__)
_PROC = Path("/proc")


class Unprivileged(NamedTuple):
    """The user and group as whom a server runs that refuses to run as root."""

    user: int
    group: int


def command_of(pid: int) -> str:
    """The command line of a live process; empty for none, a zombie, or one that cannot be read."""
    if _PROC.joinpath("self").exists():
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return shown.stdout.strip()


def titled(prefix: str) -> Iterator[int]:
    """Live processes whose title begins with `prefix` (nothing where there is no /proc)."""
    if _PROC.joinpath("self").exists():
        for entry in _PROC.iterdir():
            if entry.name.isdigit() and command_of(int(entry.name)).startswith(prefix):
                yield int(entry.name)


def end(pid: int, signal: Signals, seconds: float, gone: Callable[[], bool] | None = None) -> bool:
    """Signals a process and waits; True if it went within `seconds`."""
    try:
        os.kill(pid, signal)
    except ProcessLookupError:
        return True
    end_at = time.monotonic() + seconds
    while time.monotonic() < end_at:
        if gone() if gone is not None else not command_of(pid):
            return True
        time.sleep(0.02)
    return False


def unprivileged(folder: Path, programs: Path) -> Unprivileged | None:
    """`nobody` if we are root (made able to reach `folder` and run `programs`), else None: run as we are."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    servant = Unprivileged(entry.pw_uid, entry.pw_gid)
    for path in (folder, programs.resolve()):
        for step in (path, *path.parents):
            _open_way(step, servant)
    if not _runs(programs / "postgres", servant):
        for path in _installed(programs.parent):
            readable = stat.S_IROTH | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0)
            path.chmod(path.stat().st_mode | readable)
    return servant


def _open_way(path: Path, servant: Unprivileged) -> None:
    """Lets everyone pass through a folder (not list it), only where `servant` could not."""
    status = path.stat()
    if servant.user == status.st_uid:
        passable = status.st_mode & stat.S_IXUSR
    elif servant.group == status.st_gid:
        passable = status.st_mode & stat.S_IXGRP
    else:
        passable = status.st_mode & stat.S_IXOTH
    if not passable:
        _log.warning("local Postgres runs as nobody: letting it pass through %s (o+x)", path)
        path.chmod(status.st_mode | stat.S_IXOTH)


def _runs(program: Path, servant: Unprivileged) -> bool:
    try:
        command = [str(program), "--version"]
        subprocess.run(
            command, user=servant.user, group=servant.group, check=True, capture_output=True, cwd="/", timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _installed(tree: Path) -> Iterator[Path]:
    """Every file and folder of the wheel's server and of the libraries that it brings beside its package."""
    package = tree.parent
    for root in (package, package.with_name(package.name + ".libs")):
        if root.exists():
            yield root
            yield from (path for path in root.rglob("*") if not path.is_symlink())
