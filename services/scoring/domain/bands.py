"""Bands of a score of which more is better: where they lie, and which one is put on record."""

from typing import NamedTuple

from jornada.events import Band

INFINITE = float("inf")
WORSE = {"green": 0, "yellow": 1, "red": 2}
"""The known bands, the better first."""

Corridor = tuple[float, float]
"""The least value within, and the least that lies above."""


class Bands(NamedTuple):
    """`green` from here up, `yellow` from here up, `red` below.

    What is on record worsens at the threshold and improves only at the threshold and the `hysteresis`.
    """

    green: float
    yellow: float
    hysteresis: float

    def band(self, value: float) -> Band:
        """The band of a value that is rounded as published."""
        if value >= self.green:
            return "green"
        return "yellow" if value >= self.yellow else "red"

    def corridor(self, band: Band) -> Corridor:
        """The values that have this band."""
        edges = {"green": (self.green, INFINITE), "yellow": (self.yellow, self.green), "red": (-INFINITE, self.yellow)}
        return edges[band]

    def kept(self, recorded: Band) -> Corridor:
        """The values by which this band stays on record; the unknown stays by none and by any."""
        if recorded == "unknown":
            return -INFINITE, INFINITE
        low, high = self.corridor(recorded)
        return low, high + self.hysteresis

    def settled(self, recorded: Band, value: float | None, band: Band) -> Band:
        """The band to record of a value in a band."""
        if band == "unknown" or recorded == "unknown" or value is None or WORSE[band] >= WORSE[recorded]:
            return band
        improved = self.band(value - self.hysteresis)
        return improved if WORSE[improved] < WORSE[recorded] else recorded


def common(one: Corridor, other: Corridor) -> Corridor:
    """The values that lie in both."""
    return max(one[0], other[0]), min(one[1], other[1])
