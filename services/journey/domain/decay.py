"""Counts that halve with time, as exact whole numbers, so that sums commute to the last bit."""

from collections.abc import Iterable
from decimal import Context, Decimal
from functools import lru_cache
from math import floor, log2

LADDER = (7, 14, 30, 60, 90)
"""Half-lives in days."""

Sum = tuple[int, int]
"""A whole number and an exponent of two, the number being odd or zero: each sum has one form."""

_DAY = 86_400
_T0 = 631_152_000  # 1990-01-01, in seconds
_BITS = 40
_FRACTION = 80
_BILLION = 10**9
_context = Context(prec=60)


@lru_cache(maxsize=16_384)
def _root(seconds: int, half_life: int) -> int:
    """2^(seconds / half-life), in 2^-80."""
    power = _context.power(Decimal(2), _context.divide(Decimal(seconds), Decimal(half_life * _DAY)))
    return int(_context.multiply(power, Decimal(2**_FRACTION)).to_integral_value())


@lru_cache(maxsize=65_536)
def moment(second: int, half_life: int) -> Sum:
    """2^(40 + (second - t0) / half-life), seconds being since 1970 and t0 the first of 1990.

    Its fraction is rounded to 40 bits, so the number has no more. What lies 40 half-lives before t0 weighs nothing.
    """
    whole, part = divmod(second - _T0, half_life * _DAY)
    if whole < -_BITS:
        return (0, 0)
    minutes, seconds = divmod(part % _DAY, 60)
    root = _root(part - part % _DAY, half_life) * _root(minutes * 60, half_life) >> _FRACTION
    root = root * _root(seconds, half_life) >> _FRACTION
    return _odd((root + (1 << (_FRACTION - _BITS - 1))) >> (_FRACTION - _BITS), whole)


def plus(a: Sum, b: Sum) -> Sum:
    """The sum of both."""
    exponent = min(a[1], b[1])
    return _odd((a[0] << (a[1] - exponent)) + (b[0] << (b[1] - exponent)), exponent)


def times(a: Sum, number: int) -> Sum:
    """So many times a sum."""
    return _odd(a[0] * number, a[1])


def quotient(a: Sum, b: Sum) -> float:
    """A sum divided by one that weighs something, to the nearest number."""
    number, unit = _parts(a, b)
    return number / unit


def standing(total: Sum, half_life: int, second: int) -> float:
    """A sum as it stands at a second, to the nearest number; 0 where nothing weighs anything."""
    number, unit = _ratio(total, half_life, second)
    return number / unit


def billionths(total: Sum, half_life: int, second: int) -> int:
    """A sum as it stands at a second, in whole billionths."""
    number, unit = _ratio(total, half_life, second)
    return number * _BILLION // unit


def below_at(total: Sum, half_life: int, level: int) -> int | None:
    """The first second at which a sum stands below so many billionths, at least one; None of what weighs nothing.

    It only halves, so the second follows from its logarithm; that one is rounded, and so tried from a little before.
    """
    if not total[0]:
        return None
    halvings = log2(total[0]) + total[1] - _BITS - (log2(level) - log2(_BILLION))
    second = _T0 + floor(halvings * half_life * _DAY) - 2
    while billionths(total, half_life, second) >= level:
        second += 1
    return second


def told(number: float) -> float:
    """To 9 significant digits."""
    return float(f"{number:.9g}")


def decayed(days: Iterable[int], half_life: int, at: int) -> float:
    """The decayed count of days since 1970 as it stands on day `at`, to 9 significant digits."""
    moments = [moment(day * _DAY, half_life) for day in days]
    least = min((exponent for _, exponent in moments), default=0)
    total = sum(number << (exponent - least) for number, exponent in moments)
    return told(standing((total, least), half_life, at * _DAY))


def _ratio(total: Sum, half_life: int, second: int) -> tuple[int, int]:
    """A sum as it stands at a second, exactly: a whole number of parts, and how many make one."""
    unit = moment(second, half_life)
    if not total[0] or not unit[0]:
        return (0, 1)
    return _parts(total, unit)


def _parts(a: Sum, b: Sum) -> tuple[int, int]:
    """Two sums as whole numbers of the same."""
    shift = a[1] - b[1]
    return (a[0] << shift, b[0]) if shift >= 0 else (a[0], b[0] << -shift)


def _odd(number: int, exponent: int) -> Sum:
    """The same value with an odd number."""
    if not number:
        return (0, 0)
    zeros = (number & -number).bit_length() - 1
    return (number >> zeros, exponent + zeros)
