"""`python -m bench.scoring.sides ours|floor JOURNEYS`: one side; says `ready`, then works as it is told by lines.

`tell FILE` writes what it makes of every journey, a line each. `whole SECONDS` and `alone SECONDS` work so long, from
stored bytes to encoded bytes or the arithmetic alone, and say as JSON how much CPU how many subjects took.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

BATCH = 2_000
"""Subjects at once, as many as the worker takes at most."""

Work = dict[str, Sequence[Callable[[], Any]]]
"""What there is to do of each batch, by how it is asked for."""


def main(side: str, file: str) -> None:
    """Works batch after batch, round and round, as it is told."""
    rows = Path(file).read_bytes().splitlines()
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    # Each side has an environment of its own, so the other's may be missing what this one needs.
    work: Work = import_module(f"bench.scoring.{side}").work(batches)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the services' processes do
    done = 0
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        what, given = line.split()
        if what == "tell":
            Path(given).write_bytes(b"\n".join(each for batch in work["whole"] for each in batch()))
            figures: dict[str, float] = {}
        else:
            cpu, until, subjects = time.process_time(), time.monotonic() + float(given), 0
            while time.monotonic() < until:
                work[what][done % len(batches)]()
                subjects += len(batches[done % len(batches)])
                done += 1
            figures = {"cpu": time.process_time() - cpu, "subjects": subjects}
        print(msgspec.json.encode(figures).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
