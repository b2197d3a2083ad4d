"""The components of health: each is one subject's value over time, 0–1, with its reason.

A part is read off a journey once; asked for instants (microseconds since 1970) from the journey's own on, it only rises
or only falls from each of its `turns` to the next.
"""

from collections.abc import Sequence
from typing import Protocol

from jornada.events import Reason


class Part(Protocol):
    """One component of one subject."""

    def value(self, at: int) -> float:
        """0–1, higher is better."""

    def turns(self) -> Sequence[int]:
        """Instants at which it may go the other way; at each the new course holds."""

    def because(self, at: int) -> Reason:
        """What it is worth what it is: of several causes the one that costs most."""


class Use(Part, Protocol):
    """The component of use, which knows silence: churn risk and champions ask it too."""

    @property
    def last(self) -> int:
        """When something was used last."""

    def patience(self, at: int) -> float:
        """What silence leaves, 0–1."""

    def absence(self, at: int) -> Reason:
        """How silence compares with what is usual for the subject."""

    def falls_silent(self) -> int | None:
        """The first instant at which silence leaves less than half; None where it never takes as much."""
