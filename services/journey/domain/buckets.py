"""Buckets of an account's people, by how their ids begin: one changes, and only the buckets it lies in do.

A bucket of few people is the join of their shares, one of many that of sixteen buckets: those of each next digit after
all that its people's ids have in common. Whatever is stored of a place is what all shares under it add up to, so which
buckets there are matters to nobody.
"""

from collections.abc import Iterable
from uuid import UUID

ROOT = ""
_DIGITS = "0123456789abcdef"
_LENGTH = 32


def within(place: str) -> tuple[UUID, UUID]:
    """The first and the last id that begin so."""
    return UUID(place.ljust(_LENGTH, "0")), UUID(place.ljust(_LENGTH, "f"))


def around(ids: Iterable[UUID]) -> set[str]:
    """Every place in which any of the ids lies."""
    return {id_.hex[:length] for id_ in ids for length in range(_LENGTH + 1)}


def above(places: Iterable[str]) -> set[str]:
    """These places, and every place in which one of them lies."""
    return {place[:length] for place in places for length in range(len(place) + 1)}


def divided(first: UUID, last: UUID) -> list[str]:
    """The places into which one is divided whose first and last people have these two ids."""
    common = 0
    while first.hex[common] == last.hex[common]:
        common += 1
    return [first.hex[:common] + digit for digit in _DIGITS]
