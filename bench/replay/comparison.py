"""What a replay costs beside a bare loop that reads the same rows and folds them, and how much memory it takes."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from bench.measuring import cpu_seconds, ratio
from bench.replay.lives import EACH
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrated
from jornada.events import new_id

TOUCHPOINTS = 100_000


async def run(rounds: int, seconds: float, touchpoints: int = TOUCHPOINTS) -> None:
    """Prints the ratio of CPU, Postgres' included, and the last round's figures; a round is as long as it takes."""
    console, folder = Console(), Path(tempfile.mkdtemp(prefix="jornada-bench-"))
    postgres = LocalPostgres(folder)
    await asyncio.to_thread(postgres.start)
    try:
        await migrated(postgres.url())
        workspace = str(new_id())
        filled = await _side("fill", postgres, folder, workspace, str(touchpoints // EACH))
        console.print(f"{touchpoints} touchpoints folded live in {filled['seconds']:.0f} s")
        ours, loop = [], []
        for _ in range(rounds):
            loop.append(await _side("loop", postgres, folder, workspace))
            ours.append(await _side("ours", postgres, folder, workspace))
        _tell(console, ours, loop)
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder, ignore_errors=True)


def _tell(console: Console, ours: list[dict[str, Any]], loop: list[dict[str, Any]]) -> None:
    for name, side in (("replay", ours[-1]), ("loop", loop[-1])):
        each = (side["cpu"] + side["postgres"]) / side["touchpoints"] * 1e6
        console.print(
            f"  {name:<6} {side['seconds']:.1f} s, {side['touchpoints'] / side['seconds']:.0f} touchpoints a second,"
            f" CPU {side['cpu']:.1f} s and Postgres' {side['postgres']:.1f} s ({each:.0f} µs a touchpoint),"
            f" {side['peak'] / 2**20:.0f} MiB at most"
        )
    last = ours[-1]
    hashes = len({side["hash"] for side in ours})
    console.print(
        f"  subjects compared {last['compared']}, equal {last['equal']}, changed {last['changed']},"
        f" mended {last['mended']}; {hashes} hash of all that is stored over {len(ours)} replays"
    )
    costs = [[side["cpu"] + side["postgres"] for side in sides] for sides in (loop, ours)]
    console.print(f"  replay / loop over the same rows  {ratio(*costs)}")


async def _side(name: str, postgres: LocalPostgres, folder: Path, workspace: str, *given: str) -> dict[str, Any]:
    before = _postgres_cpu(folder)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.replay.sides",
        name,
        postgres.url(),
        workspace,
        *given,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    figures: dict[str, Any] = msgspec.json.decode(said)
    return figures | {"postgres": _postgres_cpu(folder) - before}


def _postgres_cpu(folder: Path) -> float:
    """CPU of the server, of those of its processes that ended, and of those that live."""
    server = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return sum(cpu_seconds(pid) for pid in (server, *map(int, children)))


if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m bench.replay.comparison", description=__doc__)
    asked.add_argument("--touchpoints", type=int, default=TOUCHPOINTS)
    asked.add_argument("--rounds", type=int, default=7)
    given = asked.parse_args()
    asyncio.run(run(given.rounds, 0, given.touchpoints))
