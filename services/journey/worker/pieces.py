"""Pieces of a replay: what was read to be looked at, and what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from jornada.bus.publisher import Subject
from services.journey.store.replays import Counts

Versions = Mapping[Subject, int]


class Done(NamedTuple):
    """What came of a piece, and the new versions of those that are told anew.

    `within` is where it goes on if not all of it could be done at once.
    """

    counts: Counts
    changed: Versions
    within: list[str] | None = None

    def __or__(self, other: "Done") -> "Done":
        """Both together."""
        return Done(self.counts + other.counts, {**self.changed, **other.changed}, other.within)


NOTHING = Done(Counts(), {})


class Piece(NamedTuple):
    """A piece of a step: its first part, without a name of anybody's, or nothing where it is empty; what does it.

    `next` is where the piece after it begins, None at the end.
    """

    first: list[str]
    next: list[str] | None
    act: Callable[[], Awaitable[Done]]
