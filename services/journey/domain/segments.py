"""Conditions with names, walked through a journey: segments, personas, milestones, and those of stages."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

import msgspec

from jornada.events import Membership
from jornada.instants import instant
from jornada.rules import Condition, holds, next_change
from jornada.rules.evaluating import LAST
from services.journey.domain import folding
from services.journey.domain import state as states
from services.journey.domain.contracts import Period, Truths, condition_of
from services.journey.domain.reading import Key, Reading
from services.journey.domain.rules import DEFAULT, RuleSet
from services.journey.domain.stages import Entry, timeline
from services.journey.domain.state import EMPTY, State
from services.journey.domain.view import StateView
from services.journey.domain.vocabulary import SHIPPED, Vocabulary

MOST_PERIODS = 1_000
"""Of how many times a stage's condition was true the latest are known."""

Role = Literal["segment", "persona", "milestone", "stage"]

Stay = tuple[int, int | None]
"""The latest time in a segment: microseconds of entering, and of leaving or None while it lasts."""

Stays = Mapping[str, Stay]
"""By role and name, as `segment/name`; who was never in one has none. A milestone's stay begins once and never ends."""


class Definition(msgspec.Struct, frozen=True):
    """A segment, a persona, a milestone, or a stage with the condition in place of its rule."""

    role: Role
    name: str
    when: Condition

    @property
    def key(self) -> str:
        """Under what its stays are kept."""
        return f"{self.role}/{self.name}"


class InForce(msgspec.Struct, frozen=True):
    """By what a workspace's journeys are told. `version` grows with every change; `stages` are the rules' `when`."""

    rules: RuleSet = DEFAULT
    definitions: tuple[Definition, ...] = ()
    version: int = 0
    vocabulary: Vocabulary = SHIPPED
    stages: tuple[Definition, ...] = ()

    @property
    def walks(self) -> bool:
        """Whether there is any condition to be walked."""
        return bool(self.definitions or self.stages)

    def for_accounts(self) -> "InForce":
        """What holds for accounts: the rules' numbers. They are not walked."""
        return InForce(self.rules)


class Walk(msgspec.Struct, frozen=True):
    """A way to a state's stays: from an earlier state and its stays, over the touchpoints that came then, all later.

    `truths` are like the stays: up to the earlier state's last touchpoint.
    """

    state: State = EMPTY
    stays: Stays = {}
    then: Sequence[Reading] = ()
    truths: Truths = {}


class Kept(NamedTuple):
    """Stays and truths as they were right after the last touchpoint, under a version of what is in force."""

    version: int
    stays: Stays
    truths: Truths


def resumed(state: State, kept: Kept | None, in_force: InForce, then: Sequence[Reading] = ()) -> Walk | None:
    """The way on from stays that were kept; None where they are not of what is in force, and all must be walked."""
    if not in_force.walks:
        return Walk(state)
    if kept is None or kept.version != in_force.version:
        return None
    return Walk(state, kept.stays, then, kept.truths)


def ruled(walk: Walk, in_force: InForce) -> Truths:
    """When the conditions of stages were true, as it was right after the last touchpoint."""
    if not in_force.stages:
        return {}
    truths = walk.truths
    for before, view, key in _views(walk, in_force.rules, ()):
        truths = _foreseen(truths, in_force, before, key[0] - 1)
        turning = [each for each in in_force.stages if holds(each.when, view, key[0]) != _lasting(truths[each.name])]
        truths = {**truths, **{each.name: _flipped(truths[each.name], each.name, key) for each in turning}}
    return truths


def course(state: State, truths: Truths, in_force: InForce) -> list[Entry]:
    """The timeline of a state with these truths, as they were right after its last touchpoint."""
    view = StateView(state, in_force.rules, ())
    return timeline(state, in_force.rules, _foreseen(truths, in_force, view, LAST))


def told(readings: Sequence[Reading], in_force: InForce) -> list[Entry]:
    """The timeline of whom these touchpoints, and no others, tell."""
    return course(folding.fold(readings), ruled(Walk(then=readings), in_force), in_force)


def walked(walk: Walk, in_force: InForce, entries: Sequence[Entry]) -> Stays:
    """The stays as they were right after the last touchpoint; `entries` is the timeline of the state walked to."""
    stays = walk.stays
    if in_force.definitions:
        for before, view, (us, _) in _views(walk, in_force.rules, entries):
            stays = _judged(passed(stays, in_force, before, us - 1), in_force, view, us)
    return stays


def judged(readings: Sequence[Reading], in_force: InForce, now: int) -> Stays:
    """The stays of whom these touchpoints, and no others, tell, as of `now` or the last of them."""
    whole, walk = folding.fold(readings), Walk(then=readings)
    entries = course(whole, ruled(walk, in_force), in_force)
    stays = walked(walk, in_force, entries)
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


def _views(walk: Walk, rules: RuleSet, entries: Sequence[Entry]) -> Iterator[tuple[StateView, StateView, Key]]:
    """At each instant with touchpoints, in order: the journey before it, with all of them, and the last one's place."""
    view = StateView(walk.state, rules, entries)
    then = sorted((reading for reading in walk.then if not reading.ours), key=lambda reading: reading.key)
    for _, together in groupby(then, key=lambda reading: reading.key[0]):
        readings = list(together)
        before, view = view, StateView(states.join(view.state, folding.fold(readings)), rules, entries)
        yield before, view, readings[-1].key


def _foreseen(truths: Truths, in_force: InForce, view: StateView, until: int) -> Truths:
    """The truths as they are at `until` if nothing happens since the view's last touchpoint, after which they were."""
    found = {each.name: truths.get(each.name, ()) for each in in_force.stages}
    if view.state.last is None:
        return found
    us, message_id = view.state.last
    for each in in_force.stages:
        for at in _turns(each, view, us, until):
            found[each.name] = _flipped(found[each.name], each.name, (at, message_id))
    return found


def _flipped(periods: Sequence[Period], stage: str, key: Key) -> list[Period]:
    if _lasting(periods):
        return [*periods[:-1], periods[-1]._replace(ends=key)]
    return [*periods, Period(condition_of(stage), key, None)][-MOST_PERIODS:]


def _lasting(periods: Sequence[Period]) -> bool:
    return bool(periods) and periods[-1].ends is None


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
