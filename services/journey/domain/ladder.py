"""The rules that latch: what a customer has reached since they began, or since they churned last."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from services.journey.domain.contracts import Period, Truths
from services.journey.domain.parts.surveys import Answer
from services.journey.domain.reading import NANO, Key
from services.journey.domain.rules import RuleSet
from services.journey.domain.state import Contract, Day, State, value_days

LADDER = ("visitor", "lead", "onboarding", "won_back", "active", "loyal")
BEGUN, WON_BACK, ACTIVE, LOYAL = (LADDER.index(name) for name in ("onboarding", "won_back", "active", "loyal"))

_DAY = 86_400_000_000
_ADVOCATE = 180 * _DAY
_PROMOTER = 9 * NANO // 10


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """What counts towards the stages: everything, or what came since a customer who churned was won back (`back`).

    `truths` are when the conditions that stand in place of rules were true, since then.
    """

    days: Mapping[int, Day]
    contract: Sequence[Contract]
    purchases: Sequence[Key]
    answers: Sequence[Answer]
    referrals: Sequence[Key]
    deletions: Sequence[Key]
    truths: Truths = {}
    back: "Step | None" = None


class Step(NamedTuple):
    """A rule of the ladder that became true: its place on it, where, and by what."""

    rank: int
    key: Key
    rule: str


def first_chapter(state: State, rules: RuleSet, truths: Truths) -> Chapter:
    """All there is."""
    return Chapter(
        days=value_days(state, rules.value_classes),
        contract=state.contract,
        purchases=state.purchases,
        answers=state.surveys.of("nps"),
        referrals=state.referrals,
        deletions=state.deletions,
        truths=truths,
    )


def later(state: State, chapter: Chapter, back: Step) -> Chapter:
    """What of a chapter counts since its customer was won back; of purchases only their days do."""
    bought = _since(value_days(state, ("purchased",)), back.key)
    return Chapter(
        days=_since(chapter.days, back.key),
        contract=[fact for fact in chapter.contract if fact[:2] >= back.key],
        purchases=[bought[number][:2] for number in sorted(bought)],
        answers=[answer for answer in chapter.answers if answer[:2] >= back.key],
        referrals=[key for key in chapter.referrals if key >= back.key],
        deletions=[key for key in chapter.deletions if key >= back.key],
        truths={stage: _true_since(periods, back.key) for stage, periods in chapter.truths.items()},
        back=back,
    )


def _true_since(periods: Sequence[Period], key: Key) -> list[Period]:
    lasting = [each for each in periods if each.ends is None or each.ends[0] > key[0]]
    return [each._replace(begins=max(each.begins, key)) for each in lasting]


def _since(days: Mapping[int, Day], key: Key) -> dict[int, Day]:
    return {number: day for number, day in days.items() if day[:2] >= key}


def steps(state: State, chapter: Chapter, rules: RuleSet) -> list[Step]:
    """The first instants at which the rules that latch became true."""
    climbed = _beginnings(state, chapter, rules) if chapter.back is None else [chapter.back]
    active = _first_true(chapter, "active") if "active" in chapter.truths else _activation(chapter, rules)
    if "loyal" in chapter.truths:
        loyal = _first_true(chapter, "loyal")
    else:
        loyal = None if active is None else _loyalty(chapter, active, rules)
    return [*climbed, *(step for step in (active, loyal) if step is not None)]


def _first_true(chapter: Chapter, stage: str) -> Step | None:
    """Where the condition of a stage became true first."""
    periods = chapter.truths[stage]
    return Step(LADDER.index(stage), periods[0].begins, periods[0].rule) if periods else None


def promoting(chapter: Chapter) -> list[Period]:
    """When the latest NPS was a 9 or 10 within 180 days, and when a referral had been made within them."""
    if "advocate" in chapter.truths:
        return list(chapter.truths["advocate"])
    found = []
    for (us, message_id, _, _, level), then in zip_longest(chapter.answers, chapter.answers[1:]):
        if level >= _PROMOTER:
            lapses = (us + _ADVOCATE, message_id)
            found.append(Period("promoter", (us, message_id), lapses if then is None else min(lapses, then[:2])))
    begins: Key | None = None
    for referred, following in zip_longest(chapter.referrals, chapter.referrals[1:]):
        begins = begins or referred
        if following is None or following[0] > referred[0] + _ADVOCATE:
            found.append(Period("referral", begins, (referred[0] + _ADVOCATE, referred[1])))
            begins = None
    return found


def _beginnings(state: State, chapter: Chapter, rules: RuleSet) -> list[Step]:
    begun = [(seen[1], seen[2], kind) for kind, seen in state.kinds.items() if kind in rules.onboarding_kinds]
    found = []
    if state.first is not None:
        found.append(Step(LADDER.index("visitor"), state.first, "first_touchpoint"))
    if state.known is not None:
        found.append(Step(LADDER.index("lead"), state.known, "known"))
    if "onboarding" in chapter.truths:
        onboarding = _first_true(chapter, "onboarding")
        found += [] if onboarding is None else [onboarding]
    elif begun:
        us, message_id, kind = min(begun)
        found.append(Step(BEGUN, (us, message_id), kind))
    return found


def _activation(chapter: Chapter, rules: RuleSet) -> Step | None:
    found = _dense(chapter.days, rules.active_days, rules.active_within_days)
    bought = _bought(chapter, rules.active_purchases)
    keys = [(key, rule) for key, rule in ((found, "value_days"), (bought, "purchases")) if key is not None]
    return Step(ACTIVE, *min(keys)) if keys else None


def _bought(chapter: Chapter, count: int) -> Key | None:
    """The place of the purchase that makes so many."""
    return chapter.purchases[count - 1] if 0 < count <= len(chapter.purchases) else None


def _loyalty(chapter: Chapter, active: Step, rules: RuleSet) -> Step | None:
    """The first of what the rules count, but not before the customer has been active for as long as they ask."""
    ripe: Key = (active.key[0] + rules.loyal_after_days * _DAY, active.key[1])
    renewals = [fact[:2] for fact in chapter.contract if fact[2] == "subscription_renewed"]
    renewed = renewals[rules.loyal_renewals - 1] if 0 < rules.loyal_renewals <= len(renewals) else None
    reached = [
        (renewed, "renewal"),
        (_bought(chapter, rules.loyal_purchases), "many_purchases"),
        (_dense(chapter.days, rules.loyal_days, rules.loyal_within_days), "many_value_days"),
    ]
    found = [(max(key, ripe), rule) for key, rule in reached if key is not None]
    weekly = _weekly(chapter.days, rules, ripe)
    found += [(weekly, "value_weeks")] if weekly is not None else []
    return Step(LOYAL, *min(found)) if found else None


def _dense(days: Mapping[int, Day], count: int, within: int | None) -> Key | None:
    """The place of the value day that makes `count` within so many days."""
    numbers = sorted(days)
    for first, last in zip(numbers, numbers[count - 1 :], strict=False) if count else ():
        if within is None or last - first < within:
            return days[last][:2]
    return None


def _weekly(days: Mapping[int, Day], rules: RuleSet, ripe: Key) -> Key | None:
    """The first place, not before `ripe`, at which enough of the last weeks (from Monday, UTC) have a value day."""
    first: dict[int, Key] = {}
    for number in sorted(days):
        first.setdefault((number + 3) // 7, days[number][:2])
    weeks = sorted(first)
    for begin, last in zip(weeks, weeks[rules.loyal_weeks - 1 :], strict=False) if rules.loyal_weeks else ():
        over = ((begin + rules.loyal_within_weeks) * 7 - 3) * _DAY
        key = max(first[last], ripe)
        if key[0] < over:
            return key
    return None
