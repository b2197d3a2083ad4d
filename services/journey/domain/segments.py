"""Segments, personas and milestones: conditions with names, and since when a customer has been in each."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

import msgspec

from jornada.events import Membership
from jornada.instants import instant
from jornada.rules import Condition, holds, next_change
from services.journey.domain import folding
from services.journey.domain import state as states
from services.journey.domain.reading import Reading
from services.journey.domain.rules import DEFAULT, RuleSet
from services.journey.domain.stages import Entry, timeline
from services.journey.domain.state import EMPTY, State
from services.journey.domain.view import StateView
from services.journey.domain.vocabulary import SHIPPED, Vocabulary

Role = Literal["segment", "persona", "milestone"]

Stay = tuple[int, int | None]
"""The latest time in a segment: microseconds of entering, and of leaving or None while it lasts."""

Stays = Mapping[str, Stay]
"""By role and name, as `segment/name`; who was never in one has none. A milestone's stay begins once and never ends."""


class Definition(msgspec.Struct, frozen=True):
    """A segment, a persona or a milestone."""

    role: Role
    name: str
    when: Condition

    @property
    def key(self) -> str:
        """Under what its stays are kept."""
        return f"{self.role}/{self.name}"


class InForce(msgspec.Struct, frozen=True):
    """By what a workspace's journeys are told. `version` grows with every change."""

    rules: RuleSet = DEFAULT
    definitions: tuple[Definition, ...] = ()
    version: int = 0
    vocabulary: Vocabulary = SHIPPED


class Walk(msgspec.Struct, frozen=True):
    """A way to a state's stays: from an earlier state and its stays, over the touchpoints that came then, all later."""

    state: State = EMPTY
    stays: Stays = {}
    then: Sequence[Reading] = ()


class Kept(NamedTuple):
    """Stays as they were right after the last touchpoint, under a version of what is in force."""

    version: int
    stays: Stays


def resumed(state: State, kept: Kept | None, in_force: InForce, then: Sequence[Reading] = ()) -> Walk | None:
    """The way on from stays that were kept; None where they are not of what is in force, and all must be walked."""
    if not in_force.definitions:
        return Walk(state)
    return Walk(state, kept.stays, then) if kept is not None and kept.version == in_force.version else None


def walked(walk: Walk, in_force: InForce, entries: Sequence[Entry]) -> Stays:
    """The stays as they were right after the last touchpoint; `entries` is the timeline of the state walked to."""
    view, stays = StateView(walk.state, in_force.rules, entries), walk.stays
    then = sorted((reading for reading in walk.then if not reading.ours), key=lambda reading: reading.key)
    for us, together in groupby(then, key=lambda reading: reading.key[0]):
        stays = passed(stays, in_force, view, us - 1)
        view = StateView(states.join(view.state, folding.fold(together)), in_force.rules, entries)
        stays = _judged(stays, in_force, view, us)
    return stays


def judged(readings: Sequence[Reading], in_force: InForce, now: int) -> Stays:
    """The stays of whom these touchpoints, and no others, tell, as of `now` or the last of them."""
    whole = folding.fold(readings)
    entries = timeline(whole, in_force.rules)
    stays = walked(Walk(then=readings), in_force, entries)
    return passed(stays, in_force, StateView(whole, in_force.rules, entries), now)


def passed(stays: Stays, in_force: InForce, view: StateView, until: int) -> Stays:
    """The stays as they are at `until` if nothing happens since the view's last touchpoint, after which they were."""
    if view.state.last is None:
        return stays
    changed = dict(stays)
    for each in _watched(stays, in_force):
        for at in _turns(each, view, view.state.last[0], until):
            changed[each.key] = _turned(changed.get(each.key), at)
    return changed


def following(stays: Stays, in_force: InForce, view: StateView, at: int) -> int | None:
    """The first instant after `at`, as of which the stays are, at which some stay changes if nothing more happens."""
    changes = (next_change(each.when, view, at) for each in _watched(stays, in_force))
    return min((change for change in changes if change is not None), default=None)


def inside(stays: Stays, key: str) -> bool:
    """Whether the stay lasts."""
    stay = stays.get(key)
    return stay is not None and stay[1] is None


def memberships(stays: Stays, role: Role, *, lasting: bool) -> list[Membership]:
    """The stays that last, or the latest of those that ended, by name."""
    found = []
    for key in sorted(stays):
        of, _, name = key.partition("/")
        entered, left = stays[key]
        if of == role and (left is None) is lasting:
            left_at = None if left is None else instant(left)
            found.append(Membership(name=name, entered_at=instant(entered), left_at=left_at))
    return found


def reached(stays: Stays, in_force: InForce) -> dict[str, int | None]:
    """The workspace's own milestones by name, and when each was reached, in microseconds."""
    own = (each for each in in_force.definitions if each.role == "milestone")
    return {each.name: stays[each.key][0] if each.key in stays else None for each in own}


def _watched(stays: Stays, in_force: InForce) -> Iterator[Definition]:
    """What may still turn: all but the milestones that were reached."""
    return (each for each in in_force.definitions if each.role != "milestone" or each.key not in stays)


def _turns(each: Definition, view: StateView, after: int, until: int) -> Iterator[int]:
    """The instants at which its answer turns if nothing more happens; of a milestone the first alone."""
    at: int | None = after
    while at is not None and (at := next_change(each.when, view, at, until)) is not None:
        yield at
        at = None if each.role == "milestone" else at


def _judged(stays: Stays, in_force: InForce, view: StateView, at: int) -> Stays:
    turned = {
        each.key: _turned(stays.get(each.key), at)
        for each in _watched(stays, in_force)
        if holds(each.when, view, at) != inside(stays, each.key)
    }
    return {**stays, **turned}


def _turned(stay: Stay | None, at: int) -> Stay:
    return (stay[0], at) if stay is not None and stay[1] is None else (at, None)
