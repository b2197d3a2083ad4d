"""Joins that parts are made of. Those that bound a size give the same whatever is joined first."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from services.journey.domain.reading import Key

Register = tuple[int, str, str]
"""A value (as JSON text) stated at a place in event-time order; the later one holds."""

_T = TypeVar("_T")


def either(a: _T | None, b: _T | None, pick: Callable[[Any, Any], Any]) -> _T | None:
    """What is there, or the pick of both."""
    if a is None or b is None:
        return b if a is None else a
    picked: _T = pick(a, b)
    return picked


def merged(a: Mapping[Any, _T], b: Mapping[Any, _T], pick: Callable[[Any, Any], Any]) -> Mapping[Any, _T]:
    """Both maps, a value of both being the pick."""
    if not a or not b:
        return a or b
    both = dict(a)
    for name, value in b.items():
        known = both.get(name)
        both[name] = value if known is None else pick(known, value)
    return both


def latest(a: list[Any], b: list[Any], most: int) -> list[Any]:
    """The latest of dated facts, in order."""
    return sorted([*a, *b])[-most:] if a and b else a or b


def newest(values: Mapping[str, Any], most: int) -> Mapping[str, Any]:
    """The entries with the greatest values, which must only ever grow."""
    if len(values) <= most:
        return values
    return dict(sorted(values.items(), key=lambda item: (item[1], item[0]))[-most:])


def greatest(values: Mapping[str, Any], most: int) -> Mapping[str, Any]:
    """The entries with the greatest names, a longer one being greater: of numbers that count up the newest."""
    if len(values) <= most:
        return values
    return dict(sorted(values.items(), key=lambda item: (len(item[0]), item[0]))[-most:])


def later(a: Key | None, b: Key | None) -> Key | None:
    """The later place."""
    return either(a, b, max)


def earlier(a: Key | None, b: Key | None) -> Key | None:
    """The earlier place."""
    return either(a, b, min)
