"""Counts that halve with time, as exact whole numbers, so that sums commute to the last bit."""

from collections.abc import Iterable
from decimal import Context, Decimal
from functools import lru_cache

LADDER = (7, 14, 30, 60, 90)
"""Half-lives in days."""

_EPOCH_DAY = 18_262  # 2020-01-01
_BITS = 40
_FRACTION = 80
_context = Context(prec=60)


@lru_cache(maxsize=256)
def _root(part: int, half_life: int) -> int:
    """2^(part / half_life), in 2^-80."""
    power = _context.power(Decimal(2), _context.divide(Decimal(part), Decimal(half_life)))
    return int(_context.multiply(power, Decimal(2**_FRACTION)).to_integral_value())


@lru_cache(maxsize=65_536)
def weight(day: int, half_life: int) -> int:
    """round(2^(40 + (day - t0) / half_life)) of a day since 1970; t0 is the first of 2020. Long ago rounds to 0."""
    whole, part = divmod(day - _EPOCH_DAY, half_life)
    shift = _BITS + whole - _FRACTION
    root = _root(part, half_life)
    return root << shift if shift >= 0 else (root + (1 << (-shift - 1))) >> -shift


def decayed(days: Iterable[int], half_life: int, at: int) -> float:
    """The decayed count of the days as it stands on day `at`, to 9 significant digits."""
    total, unit = sum(weight(day, half_life) for day in days), weight(at, half_life)
    return float(f"{total / unit:.9g}") if unit else 0.0
