"""Pieces of a replay: what was read to be looked at, and what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from jornada.bus.publisher import Subject
from services.journey.store.replays import Counts

Versions = Mapping[Subject, int]


class Done(NamedTuple):
    """What came of a piece, and the new versions of those that are told anew."""

    counts: Counts
    changed: Versions

    def __or__(self, other: "Done") -> "Done":
        """Both together."""
        return Done(self.counts + other.counts, {**self.changed, **other.changed})


NOTHING = Done(Counts(), {})


class Piece(NamedTuple):
    """A piece of a step: what its first part is, without a name of anybody's,
    or nothing where it is empty; where the next begins, None at the
    end; and what does it."""

    first: list[str]
    next: list[str] | None
    act: Callable[[], Awaitable[Done]]
