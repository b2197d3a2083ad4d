"""What it costs to score a subject anew, beside one numpy evaluation of the same arithmetic in bulk."""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from bench.environments import python_of
from bench.measuring import Sample, Steal, ratio
from bench.scoring.stored import COMPONENTS, stored
from jornada.events import Reason, ScoreSnapshot
from jornada.instants import micros

SUBJECTS = 20_000
GOAL = 3.0
NEAR = 10
"""Microseconds by which an instant may differ: there the score moves by less than its last digit."""

_ROOT = Path(__file__).parents[2]
_MODES = {"whole": "from stored bytes to stored bytes", "alone": "the arithmetic alone, read before"}
_FACTORS = ("base", "silence", "adoption", "service", "bond", "cancellation")

_NUMBERS: Mapping[str, Mapping[str, int]] = {
    "use_silent": {"days": 0, "usual_days": 1},
    "purchase_silent": {"days": 0, "usual_days": 1},
    "use_recent": {"days": 0, "value_days": 2},
    "purchase_recent": {"days": 0, "value_days": 2},
    "use_falling": {"percent": 4},
    "features_used": {"lately": 5, "ever": 6},
    "seats_used": {"used": 7},
    "open_tickets": {"count": 8, "oldest_days": 9},
    "csat_answered": {"percent": 10},
    "invoices_overdue": {"days": 12},
    "payment_failed": {"days": 12},
    "contract_ends": {"days": 13},
    "two_way_contact": {"days": 14},
    "one_way_contact": {"days": 14},
    "spoke_for_us": {"days": 15},
}
"""Where the floor tells the numbers of a component's reason."""


class Differs(Exception):
    """The sides tell another thing of a subject: no figure counts."""


class Side:
    """One side's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def started(cls, python: str, name: str, journeys: Path) -> "Side":
        """Raises RuntimeError where it does not start."""
        path = os.pathsep.join((str(_ROOT), str(_ROOT / "shared")))
        side = cls(
            await asyncio.create_subprocess_exec(
                *(python, "-m", "bench.scoring.sides", name, str(journeys)),
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )
        if await side._said() != "ready":
            raise RuntimeError(f"the side {name} did not start")
        return side

    async def asked(self, line: str) -> dict[str, Any]:
        """What it says after it has done what the line tells."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        figures: dict[str, Any] = msgspec.json.decode(await self._said())
        return figures

    async def ended(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _said(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


async def run(rounds: int, seconds: float, subjects: int = SUBJECTS) -> None:
    """Prints the ratios of CPU a subject, and how many a core does in a second; void where the sides differ."""
    console, folder = Console(), Path(tempfile.mkdtemp(prefix="jornada-bench-"))
    python = python_of("floor", Path(__file__).parent / "floor-requirements.txt")
    if python is None:
        console.print("[yellow]numpy could not be installed: not measured.[/yellow]")
        return
    try:
        journeys = folder / "journeys"
        rows = stored(subjects)
        journeys.write_bytes(b"\n".join(rows))
        console.print(f"{subjects} journeys of {sum(map(len, rows)) // subjects} bytes")
        ours = await Side.started(sys.executable, "ours", journeys)
        floor = await Side.started(str(python), "floor", journeys)
        await _verified(console, ours, floor, folder)
        for mode, what in _MODES.items():
            _tell(console, mode, what, await _samples({"ours": ours, "floor": floor}, mode, rounds, seconds))
        await ours.ended()
        await floor.ended()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _samples(sides: Mapping[str, Side], mode: str, rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """So many rounds in turns, and as many again at most for those in which others took the machine away."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for _ in range(2 * rounds):
        steal, round_ = Steal(), {}
        for name, side in sides.items():
            figures = await side.asked(f"{mode} {seconds}")
            round_[name] = Sample(figures["cpu"], 0.0, figures["subjects"])
        if not steal.too_much():
            for name, sample in round_.items():
                samples[name].append(sample)
        if len(samples["ours"]) == rounds:
            break
    return samples


def _tell(console: Console, mode: str, what: str, samples: Mapping[str, Sequence[Sample]]) -> None:
    each = {name: [sample.own for sample in theirs] for name, theirs in samples.items()}
    for name, costs in each.items():
        cost = statistics.median(costs)
        console.print(f"  {mode:<6} {name:<6} {cost:6.1f} µs a subject, {1e6 / cost:7,.0f} a second and core")
    goal = f"   (at most {GOAL})" if mode == "whole" else ""
    console.print(f"  {mode:<6} ours / floor, {what}  {ratio(each['floor'], each['ours'])}{goal}")


async def _verified(console: Console, ours: Side, floor: Side, folder: Path) -> None:
    """Holds what both tell of every subject to be equal; raises Differs."""
    told = []
    for name, side in (("ours", ours), ("floor", floor)):
        await side.asked(f"tell {folder / name}")
        told.append((folder / name).read_bytes().splitlines())
    for mine, theirs in zip(*told, strict=True):
        snapshot = msgspec.json.decode(mine, type=ScoreSnapshot)
        for what, one, other in _pairs(snapshot, msgspec.json.decode(theirs)):
            if not _equal(one, other):
                raise Differs(f"{what} of {snapshot.subject_id}: {one} and {other}")
    sizes = [sum(map(len, lines)) // len(lines) for lines in told]
    console.print(f"  equal in every number; ours writes {sizes[0]} bytes with texts and upsell, the floor {sizes[1]}")


def _pairs(ours: ScoreSnapshot, floor: Sequence[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Everything that both tell of a subject."""
    _, version, band, score, coverage, points, weights, values, numbers, vetoes, crosses, *risk = floor
    health, churn = ours.health, ours.churn_risk
    yield "version", ours.version, version
    yield "band", health.band, band
    yield "score", health.score, score
    yield "coverage", health.coverage, coverage
    known = {each.name: each for each in health.components}
    for place, name in enumerate(COMPONENTS):
        if name not in known:
            yield f"weight of {name}", 0.0, weights[place]
            continue
        component = known[name]
        yield f"points of {name}", component.points, points[place]
        yield f"weight of {name}", component.weight, weights[place]
        yield f"value of {name}", component.value, values[place]
        yield from _reasoned(component.because, numbers)
    yield "cap", min((veto.values["at_most"] for veto in health.vetoes), default=None), vetoes[0]
    yield "taken", sum(veto.values["points"] for veto in health.vetoes), vetoes[1] if vetoes[0] is not None else 0
    yield "next band", health.crosses and health.crosses.band, crosses and crosses[0]
    if health.crosses is not None:
        yield "microseconds", abs(micros(health.crosses.at) - crosses[1]) <= NEAR, True
    yield "risk's band", churn.band, risk[0]
    if churn.probability is not None:
        yield from zip(("probability", "low", "high"), (churn.probability, churn.low, churn.high), risk[1], strict=True)
        factors = {each.name: each.contribution for each in churn.factors}
        for factor, contribution in zip(_FACTORS, risk[2], strict=True):
            yield f"factor {factor}", factors.get(factor, 0.0), contribution


def _reasoned(because: Reason, numbers: Sequence[Any]) -> Iterator[tuple[str, Any, Any]]:
    for name, place in _NUMBERS.get(because.code, {}).items():
        yield f"{because.code} {name}", because.values[name], numbers[place]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return isclose(one, other, rel_tol=1.01e-8, abs_tol=1e-12)
    return bool(one == other)
