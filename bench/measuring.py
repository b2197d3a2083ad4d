"""How a comparison is measured: CPU of processes, interleaved rounds, ratios with bootstrap intervals."""

import os
import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_RESAMPLES = 2_000
_STEAL = 0.02


class Interval(NamedTuple):
    """A median and the 95 % bootstrap interval around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


class Sample(NamedTuple):
    """One side's work in one round: CPU seconds of the process measured and of its broker, what it handled."""

    cpu: float
    broker: float
    events: int

    @property
    def own(self) -> float:
        """CPU microseconds an event of the process alone."""
        return self.cpu / self.events * 1e6

    @property
    def each(self) -> float:
        """CPU microseconds an event, the broker's included."""
        return (self.cpu + self.broker) / self.events * 1e6


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its reaped children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def children_of(pid: int) -> list[int]:
    """The processes that a process started and that run now."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def resident_bytes(pid: int) -> int:
    """The memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Steal:
    """How much of the machine's time was taken away by others since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    def too_much(self) -> bool:
        """Whether the round is void."""
        (stolen, total), (before, began) = self._now(), self._before
        return stolen - before > _STEAL * max(total - began, 1)

    def _now(self) -> tuple[int, int]:
        fields = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return fields[7], sum(fields[:8])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The median over the rounds of theirs / ours, with its interval."""
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    draw = random.Random(1)  # the same numbers give the same interval
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    return Interval(statistics.median(ratios), medians[_RESAMPLES // 40], medians[-_RESAMPLES // 40])


def medians(samples: Mapping[str, Sequence[Sample]]) -> dict[str, tuple[float, float]]:
    """Each side's median CPU microseconds an event: of its process, and of its broker."""
    return {
        side: (
            statistics.median(sample.own for sample in each),
            statistics.median(sample.each - sample.own for sample in each),
        )
        for side, each in samples.items()
    }
