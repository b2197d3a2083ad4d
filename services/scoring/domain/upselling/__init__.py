"""The signs that a subject may take more: each is 0–1 over time, with its reason.

A sign is read off a journey once and asked for instants (microseconds since 1970) from the journey's own on. It goes by
steps, so that what is told stays true until the next of them.
"""

from collections.abc import Sequence
from typing import Protocol

from jornada.events import Reason


class Sign(Protocol):
    """One sign of one subject."""

    def value(self, at: int) -> float:
        """0–1, 1 being the clearest; the same from each of its turns up to the next."""

    def turns(self) -> Sequence[int]:
        """All instants at which the value may change by time alone, in any order."""

    def because(self, at: int) -> Reason:
        """What makes it so clear."""
