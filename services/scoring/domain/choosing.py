"""Which profile holds for a subject, and from when another one will if nothing more happens."""

from collections.abc import Sequence
from typing import NamedTuple

from jornada.events import JourneySnapshot
from jornada.rules import changes, holds
from services.scoring.domain.profiles import Applies, Profile
from services.scoring.domain.shipped import shipped_for
from services.scoring.domain.view import SnapshotView


class Choice(NamedTuple):
    """A profile, and from when on it holds, in microseconds."""

    since: int
    profile: Profile


def choices(
    journey: JourneySnapshot, own: Sequence[Profile], connected: frozenset[str], begin: int, end: int
) -> list[Choice]:
    """The profile that holds at `begin`, and those that hold later, each from its own instant up to `end`.

    The first of `own` that applies, else the one that ships for such a journey, or the own one of its name.
    """
    shipped = shipped_for(journey.rules_base or journey.rules, connected)
    default = next((each for each in own if each.applies is None and each.name == shipped.name), shipped)
    suited = [each for each in own if each.applies is not None and _suits(each.applies, journey)]
    if not suited:
        return [Choice(begin, default)]
    view = SnapshotView(journey)
    conditions = [each.applies.when.condition for each in suited if each.applies and each.applies.when]
    instants = {at for condition in conditions for at in changes(condition, view, begin, end)}
    found: list[Choice] = []
    for at in (begin, *sorted(instants)):
        profile = next((each for each in suited if _holds(each.applies, view, at)), default)
        if not found or profile is not found[-1].profile:
            found.append(Choice(at, profile))
    return found


def _suits(applies: Applies, journey: JourneySnapshot) -> bool:
    """Whether it is for this journey as far as time changes nothing."""
    stays = ((applies.segments, journey.segments), (applies.personas, journey.personas))
    at_stage = applies.stages is None or journey.stage.name in applies.stages
    return at_stage and all(names is None or any(each.name in names for each in them) for names, them in stays)


def _holds(applies: Applies | None, view: SnapshotView, at: int) -> bool:
    return applies is None or applies.when is None or holds(applies.when.condition, view, at)
