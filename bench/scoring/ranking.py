"""How well numbers rank who is gone: the area under the curve, and how sure of it one can be."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from bench.measuring import Interval

_RESAMPLES = 400


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """How often one who is labelled has a higher score than one who is not, ties counting half; both must exist."""
    return _area([(label, 1) for label in labels], _order(scores))


def auc_interval(scores: Sequence[float], labels: Sequence[bool]) -> Interval:
    """The area with its 95 % bootstrap interval over the customers, of whom as many stay labelled in each draw."""
    order = _order(scores)
    parts = [[place for place, label in enumerate(labels) if label is wanted] for wanted in (True, False)]
    draw = random.Random(1)  # the same numbers give the same interval
    areas = []
    for _ in range(_RESAMPLES):
        times = Counter(place for part in parts for place in draw.choices(part, k=len(part)))
        areas.append(_area([(label, times[place]) for place, label in enumerate(labels)], order))
    areas.sort()
    return Interval(auc(scores, labels), areas[_RESAMPLES // 40], areas[-_RESAMPLES // 40])


def _order(scores: Sequence[float]) -> list[list[int]]:
    """The places of the scores, lowest first, equal ones together."""
    places = sorted(range(len(scores)), key=scores.__getitem__)
    return [list(equal) for _, equal in groupby(places, key=scores.__getitem__)]


def _area(weighed: Sequence[tuple[bool, int]], order: Sequence[Sequence[int]]) -> float:
    """The area where each counts so many times."""
    won = below = labelled = 0
    for equal in order:
        here = there = 0
        for place in equal:
            label, times = weighed[place]
            if label:
                here += times
            else:
                there += times
        won += here * (2 * below + there)
        below += there
        labelled += here
    return won / (2 * below * labelled)
