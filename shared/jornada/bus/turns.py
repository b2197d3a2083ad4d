"""Whose turn it is among the partitions of a consumer: what every carrier keeps to."""

from collections.abc import Iterable
from itertools import groupby

from jornada.bus.carrier import Partition


def in_turn(partitions: Iterable[Partition], turn: int) -> list[list[Partition]]:
    """Partitions by topic; of each topic another one is first each turn.

    A batch has an equal share of each topic, so that a flood on one does not hold up another. Of a topic it has few
    partitions as far as they go, not a share of each: what belongs together is in one, and is folded once.
    """
    found = []
    for _, group in groupby(sorted(partitions), key=lambda partition: partition.topic):
        theirs = list(group)
        start = turn % len(theirs)
        found.append(theirs[start:] + theirs[:start])
    return found
