"""The stages of a journey and when each was entered: what they would be had every touchpoint come in order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from jornada.events import Stage
from jornada.instants import instant, micros
from services.journey.domain import silences
from services.journey.domain.contracts import (
    CANCELLED,
    STARTS,
    Period,
    Term,
    condition_of,
    idle_from,
    lapsed,
    terms,
    threats,
)
from services.journey.domain.ladder import (
    ACTIVE,
    BEGUN,
    LADDER,
    WON_BACK,
    Chapter,
    Step,
    first_chapter,
    later,
    promoting,
    steps,
)
from services.journey.domain.reading import Key
from services.journey.domain.rules import RuleSet
from services.journey.domain.state import State


class Entry(NamedTuple):
    """A stage entered at an instant (microseconds), by a rule, with the touchpoint that made it so."""

    us: int
    stage: str
    rule: str
    message_id: str


class _Change(NamedTuple):
    us: int
    order: int
    message_id: str
    rank: int
    rule: str
    opens: bool


def timeline(state: State, rules: RuleSet, truths: Mapping[str, Sequence[Period]] = {}) -> list[Entry]:
    """Every stage ever entered, those that silence alone will bring included, in order.

    `truths` are for all time, what is still to come included.
    """
    entries: list[Entry] = []
    chapter = first_chapter(state, rules, truths)
    while True:
        climbed = steps(state, chapter, rules)
        end = _end(chapter, climbed, rules)
        entries += _told(chapter, climbed, rules, end)
        if end is None:
            return entries
        (us, message_id), rule = end
        if not entries or entries[-1].stage != "churned":  # who came back and went in one instant never came
            entries.append(Entry(us, "churned", rule, message_id))
        back = _won_back(chapter, us)
        if back is None:
            return entries
        chapter = later(state, chapter, back)


def next_change(state: State, rules: RuleSet, now: datetime) -> datetime | None:
    """The instant after `now` at which the stage changes if nothing more happens."""
    return next((instant(entry.us) for entry in timeline(state, rules) if entry.us > micros(now)), None)


def history(entries: Sequence[Entry], as_of: datetime) -> list[Stage]:
    """The stages entered up to `as_of`, each with when it was left."""
    until = micros(as_of)
    past = [entry for entry in entries if entry.us <= until]
    left: list[datetime | None] = [instant(entry.us) for entry in past[1:]]
    return [
        Stage(
            name=entry.stage,
            entered_at=instant(entry.us),
            left_at=left_at,
            rule=entry.rule,
            message_id=entry.message_id,
        )
        for entry, left_at in zip(past, [*left, None], strict=True)
    ]


def _end(chapter: Chapter, climbed: Sequence[Step], rules: RuleSet) -> tuple[Key, str] | None:
    """Where the chapter ends with the customer churned, and by which rule.

    Who deletes their account has churned whatever runs; by silence or a contract's end, whoever had begun until then.
    """
    found = [(key, "account_deleted") for key in chapter.deletions]
    begun = min((step.key[0] for step in climbed if step.rank >= BEGUN), default=None)
    if begun is not None:
        running = terms(chapter.contract)
        found += [(key, "contract_ended") for key in lapsed(running) if key[0] >= begun]
        found += [(key, "silence") for key in _fallen_silent(chapter, running, begun, rules)]
    return min(found, default=None)


def _fallen_silent(chapter: Chapter, running: Sequence[Term], begun: int, rules: RuleSet) -> list[Key]:
    """Where silence without a running contract was final; one amid which they began, under no contract, is not."""
    found = []
    for _, (silent, message_id), ends in silences.final(chapter.days, rules):
        us = idle_from(running, max(silent, begun))
        if us is not None and (ends is None or us < ends[0]) and (silent >= begun or us > begun):
            found.append((us, message_id))
    return found


def _won_back(chapter: Chapter, us: int) -> Step | None:
    """What brings a customer back who churned: a contract, or, for who never had one, a later value day."""
    contract = [fact for fact in chapter.contract if fact[2] in STARTS or fact[2] == CANCELLED]
    back = [(fact[:2], fact[2]) for fact in contract if fact[0] > us and fact[2] in STARTS]
    if not any(fact[0] <= us for fact in contract):
        back += [(day[:2], "came_back") for day in chapter.days.values() if day[0] > us]
    return Step(WON_BACK, *min(back)) if back else None


def _told(chapter: Chapter, climbed: Iterable[Step], rules: RuleSet, end: tuple[Key, str] | None) -> list[Entry]:
    """The stages entered before the chapter ends."""
    climbs = [_Change(key[0], 0, key[1], rank, rule, True) for rank, key, rule in climbed]
    changes = sorted([*climbs, *_turns([*_risks(chapter, rules), *promoting(chapter)])])
    entries: list[Entry] = []
    rank, climbed_by, holding = -1, "", dict[str, str]()
    for us, group in groupby(changes, key=lambda change: change.us):
        if end is not None and us >= end[0][0]:
            break
        cause = ""
        for change in group:
            cause = cause or change.message_id
            if change.rank >= 0:
                rank, climbed_by = (change.rank, change.rule) if change.rank > rank else (rank, climbed_by)
                cause = change.message_id
            elif change.opens:
                holding[change.rule] = change.message_id
            else:
                holding.pop(change.rule, None)
        entry = _standing(us, rank, climbed_by, holding, cause)
        if entry is not None and (not entries or entries[-1].stage != entry.stage):
            entries.append(entry)
    return entries


def _risks(chapter: Chapter, rules: RuleSet) -> list[Period]:
    if "at_risk" in chapter.truths:
        return list(chapter.truths["at_risk"])
    return [*silences.worrying(chapter.days, rules), *threats(chapter.contract)]


_PROMOTING = ("promoter", "referral", condition_of("advocate"))


def _standing(us: int, rank: int, climbed_by: str, holding: Mapping[str, str], cause: str) -> Entry | None:
    if rank < 0:
        return None
    risks = [rule for rule in holding if rule not in _PROMOTING]
    if rank >= BEGUN and risks:
        return Entry(us, "at_risk", risks[0], holding[risks[0]])
    promoted = [rule for rule in _PROMOTING if rule in holding]
    if rank >= ACTIVE and promoted:
        return Entry(us, "advocate", promoted[0], holding[promoted[0]])
    return Entry(us, LADDER[rank], climbed_by, cause)


def _turns(periods: Iterable[Period]) -> list[_Change]:
    changes = []
    for rule, begins, ends in periods:
        if ends is not None and begins[0] >= ends[0]:
            continue
        changes.append(_Change(begins[0], 2, begins[1], -1, rule, True))
        if ends is not None:
            changes.append(_Change(ends[0], 1, ends[1], -1, rule, False))
    return changes
