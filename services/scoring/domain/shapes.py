"""The monotone shapes that turn a measure into 0–1, and numbers as scoring reckons with them."""

from collections.abc import Callable
from functools import lru_cache
from math import exp, exp2, isinf

DAY = 86_400_000_000
"""Microseconds of a day."""


_EPSILON = 1e-9
"""In the denominator alone: with it in both a trend would return to 1 when both rates die out."""


def halved(value: float, since: int, half_life_days: float, at: int) -> float:
    """What is left at `at` of a value that stood at `since` (microseconds) and halves every so many days."""
    return value * exp2((since - at) / (half_life_days * DAY))


def halving(value: float, since: int, half_life_days: float) -> Callable[[int], float]:
    """The same of one value that is asked for at many instants."""
    half_life = half_life_days * DAY
    return lambda at: value * exp2((since - at) / half_life)


def ramp(value: float, begin: float, end: float) -> float:
    """0 up to `begin`, 1 from `end` on (begin < end), straight between."""
    if value <= begin:
        return 0.0
    return 1.0 if value >= end else (value - begin) / (end - begin)


def saturate(value: float, scale: float) -> float:
    """0 at 0, rising towards 1; 63 % of it at `scale` (> 0)."""
    return 1.0 - exp(-value / scale) if value > 0.0 else 0.0


def trend(short: float, long: float, steady: float) -> float:
    """A shorter rate beside a longer one, both a day: 0 where the shorter is none, 1 from `steady` (> 0) of it on."""
    return min(short / (long + _EPSILON) / steady, 1.0)


def logistic(log_odds: float) -> float:
    """The probability of log-odds."""
    return 1.0 / (1.0 + exp(-log_odds)) if log_odds >= 0 else 1.0 - 1.0 / (1.0 + exp(log_odds))


def significant(value: float) -> float:
    """The value to 9 significant digits, as it is published and compared with thresholds."""
    return float(f"{value:.9g}")


@lru_cache(maxsize=1024)
def least(threshold: float) -> float:
    """The least value that rounds to the threshold or above: what is not rounded yet is compared with it instead."""
    if isinf(threshold):
        return threshold
    near = abs(threshold) * 1e-8
    low, high = threshold - near, threshold + near
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if significant(middle) >= threshold else (middle, high)
    return high


def whole_days(begin: int, end: int) -> int:
    """Full days from one instant to another, both in microseconds; 0 where `end` is earlier."""
    return max(end - begin, 0) // DAY
