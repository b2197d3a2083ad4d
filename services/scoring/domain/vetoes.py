"""Vetoes that a workspace states by conditions: over time each caps the score, or does not."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from jornada.events import JourneySnapshot, Reason
from jornada.instants import micros
from jornada.rules import changes, holds
from services.scoring.domain.profiles import OwnVeto
from services.scoring.domain.view import SnapshotView


class Standing(NamedTuple):
    """A veto on one subject: whether it stands at the journey's instant, and when that turns, in microseconds."""

    veto: OwnVeto
    first: bool
    turns: Sequence[int]

    def stands(self, at: int) -> bool:
        """Whether it caps the score at an instant from the journey's own on."""
        return self.first ^ bool(bisect_right(self.turns, at) & 1)

    def because(self, points: float) -> Reason:
        """Why, in the words of whoever stated it; `points` is what the cap takes."""
        veto = self.veto
        values = {"name": veto.name, "at_most": veto.at_most, "points": points}
        return Reason(code="own_veto", values=values, text={"en": veto.because.en, "pt-BR": veto.because.pt_br})


def standing(journey: JourneySnapshot, vetoes: Sequence[OwnVeto]) -> list[Standing]:
    """The vetoes on a subject that stand, or will if nothing more happens."""
    if not vetoes:
        return []
    view, begin = SnapshotView(journey), micros(journey.as_of)
    found = (
        Standing(each, holds(each.when.condition, view, begin), list(changes(each.when.condition, view, begin)))
        for each in vetoes
    )
    return [each for each in found if each.first or each.turns]
