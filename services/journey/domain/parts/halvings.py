"""How often each kind was seen, as counts that halve with time."""

from collections.abc import Mapping

from services.journey.domain.decay import LADDER, Sum, moment, plus
from services.journey.domain.parts.joining import merged
from services.journey.domain.reading import Reading

Halvings = Mapping[str, list[Sum]]
"""By kind, one sum for each half-life of the ladder."""


def join(a: Halvings, b: Halvings) -> Halvings:
    """The counts of both. There are as many as there are kinds."""
    return merged(a, b, _both)


def single(reading: Reading) -> Halvings:
    """One touchpoint, at its second."""
    second = reading.key[0] // 1_000_000
    return {reading.kind: [moment(second, half_life) for half_life in LADDER]}


def _both(a: list[Sum], b: list[Sum]) -> list[Sum]:
    return [plus(one, other) for one, other in zip(a, b, strict=True)]
