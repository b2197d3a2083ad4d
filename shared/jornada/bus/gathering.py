"""Packed records of many calls, handed on together: a portion for each partition, however many calls there were."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from jornada.bus.backlog import Call, Pace, Portion
from jornada.bus.packed import Packed

Gathered = list[tuple[Packed, Call]]


class Gathering:
    """Calls until the next tick, or until there are enough, when `hand_out` is told of those of each topic."""

    _ENOUGH = 4 * 1024 * 1024

    def __init__(self, hand_out: Callable[[str, Gathered], None]) -> None:
        self._hand_out = hand_out
        self._pace = Pace()
        self._gathered: dict[str, Gathered] = {}
        self._bytes = 0
        self._ticking: asyncio.TimerHandle | None = None

    def add(self, packed: Packed, call: Call) -> None:
        """Holds a call back until then."""
        had_enough = self._bytes >= self._ENOUGH
        self._bytes += packed.written.size
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().call_later(self._pace.left(), self._tick)
        elif self._bytes >= self._ENOUGH and not had_enough:
            self._ticking.cancel()
            self._ticking = asyncio.get_running_loop().call_later(0, self._tick)
        gathered = self._gathered.get(packed.topic)
        if gathered is None:
            gathered = self._gathered[packed.topic] = []
        gathered.append((packed, call))

    def fail_all(self, error: Exception) -> None:
        """Fails whatever waits."""
        for gathered in self._taken().values():
            for _, call in gathered:
                call.fail(error)

    def _tick(self) -> None:
        taken = self._taken()
        self._pace.adapt(sum(map(len, taken.values())))
        for topic, gathered in taken.items():
            self._hand_out(topic, gathered)

    def _taken(self) -> dict[str, Gathered]:
        taken, self._gathered = self._gathered, {}
        self._bytes = 0
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        return taken


def parted(packed: Sequence[Packed], partitions: int) -> tuple[list[tuple[int, Any]], list[int]]:
    """What each of so many partitions gets of the records of calls; and of each call, how many get a part."""
    written = [each.written for each in packed]
    parts: tuple[list[tuple[int, Any]], list[int]] = written[0].parted(written, partitions) if written else ([], [])
    return parts


def apart(portion: Portion) -> list[Portion]:
    """A portion for each of its calls."""
    if len(portion.calls) == 1:
        return [portion]
    parts = portion.records.apart()
    return [Portion([call], part, part.size) for call, part in zip(portion.calls, parts, strict=True)]
