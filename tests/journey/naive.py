"""The rules of the stages told once more, plainly: a machine that walks through time and never looks ahead."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, nextafter
from typing import Any

from services.journey.domain.rules import RuleSet

STARTS = {"Subscription Started", "Subscription Renewed"}
CONTRACT = {*STARTS, "Subscription Cancelled"}
BEGINS = {"Signed Up", "Account Created", "Trial Started", "Subscription Started", "Order Completed"}


@dataclass(frozen=True)
class Told:
    """One touchpoint: its instant in days, its place among those of the instant, its name, what it says, the class of
    use that it is, and whether it says who the customer is."""

    at: float
    place: int
    event: str
    given: dict[str, Any] = field(default_factory=dict)
    value: str | None = None
    known: bool = True

    @property
    def key(self) -> tuple[float, int]:
        return self.at, self.place


class Machine:
    """Walks; `stage` is where the customer stands after the last step. All times are days.

    `when` says of stages with a condition in place of their rule whether that is true at an instant.
    """

    def __init__(self, rules: RuleSet, when: Mapping[str, Callable[[float], bool]] | None = None) -> None:
        self.rules = rules
        self.when = when or {}
        self.stage: str | None = None
        self.back: tuple[float, int] | None = None
        self.churned_at: float | None = None
        self.begun_at: float | None = None
        self.active_at: float | None = None
        self.loyal = False

    def step(self, t: float, told: Sequence[Told]) -> str | None:
        """The stage at `t`; `told` is all that happened until then, in order."""
        if self.churned_at is not None and not self._comes_back(told):
            return self.stage
        facts = [each for each in told if self.back is None or each.key >= self.back]
        self._climb(t, facts, told)
        if self._ends(t, facts, told):
            self.stage, self.churned_at = "churned", t
        elif self.begun_at is not None and self._risky(t, facts, told):
            self.stage = "at_risk"
        elif (self.active_at is not None or self.loyal) and self._promotes(t, facts):
            self.stage = "advocate"
        elif self.loyal or self.active_at is not None:
            self.stage = "loyal" if self.loyal else "active"
        elif self.begun_at is not None:
            self.stage = "onboarding" if self.back is None else "won_back"
        elif facts:
            self.stage = "lead" if any(each.known for each in facts) else "visitor"
        return self.stage

    def _comes_back(self, told: Sequence[Told]) -> bool:
        assert self.churned_at is not None
        contract = [each for each in told if each.event in CONTRACT and self._mine(each)]
        back = [each.key for each in contract if each.at > self.churned_at and each.event in STARTS]
        if not any(each.at <= self.churned_at for each in contract):
            firsts = self._firsts(told)
            back += [key for key in firsts.values() if key[0] > self.churned_at]
        if not back:
            return False
        self.back, self.begun_at = min(back), min(back)[0]
        self.churned_at, self.active_at, self.loyal = None, None, False
        return True

    def _mine(self, each: Told) -> bool:
        return self.back is None or each.key >= self.back

    def _value(self, each: Told) -> bool:
        return each.value in self.rules.value_classes

    def _firsts(self, told: Sequence[Told]) -> dict[int, tuple[float, int]]:
        firsts: dict[int, tuple[float, int]] = {}
        for each in told:
            if self._value(each):
                firsts.setdefault(int(each.at // 1), each.key)
        return firsts

    def _days(self, told: Sequence[Told]) -> list[int]:
        return sorted(day for day, key in self._firsts(told).items() if self.back is None or key >= self.back)

    def _climb(self, t: float, facts: Sequence[Told], told: Sequence[Told]) -> None:
        rules, days = self.rules, self._days(told)
        begins = self._true("onboarding", t, lambda: any(each.event in BEGINS for each in facts))
        if self.begun_at is None and begins:
            self.begun_at = t
        bought = [each for each in facts if each.event == "Order Completed"]
        purchases = len(bought)
        if self.back is not None:
            firsts: dict[int, tuple[float, int]] = {}
            for each in told:
                if each.event == "Order Completed":
                    firsts.setdefault(int(each.at // 1), each.key)
            purchases = sum(key >= self.back for key in firsts.values())
        active = self._true(
            "active",
            t,
            lambda: (
                self._within(days, rules.active_days, rules.active_within_days)
                or 0 < rules.active_purchases <= purchases
            ),
        )
        if self.active_at is None and active:
            self.active_at = t
            self.begun_at = t if self.begun_at is None else self.begun_at
        if "loyal" in self.when:
            self.loyal = self.loyal or self.when["loyal"](t)
            self.begun_at = t if self.begun_at is None and self.loyal else self.begun_at
            return
        if self.active_at is None or t < self.active_at + rules.loyal_after_days:
            return
        weeks = {(day + 20_454 + 3) // 7 for day in days}
        this_week = (int(t // 1) + 20_454 + 3) // 7
        recent = [week for week in weeks if this_week - rules.loyal_within_weeks < week <= this_week]
        renewed = any(each.event == "Subscription Renewed" for each in facts)
        self.loyal = (
            self.loyal
            or (rules.loyal_renewals > 0 and renewed)
            or 0 < rules.loyal_purchases <= purchases
            or 0 < rules.loyal_weeks <= len(recent)
            or (rules.loyal_days > 0 and self._within(days, rules.loyal_days, rules.loyal_within_days))
        )

    def _true(self, stage: str, t: float, rule: Callable[[], bool]) -> bool:
        return self.when[stage](t) if stage in self.when else rule()

    @staticmethod
    def _within(days: list[int], count: int, within: int | None) -> bool:
        runs = (days[place : place + count] for place in range(len(days) - count + 1))
        return any(within is None or run[-1] - run[0] < within for run in runs)

    def _term(self, t: float, facts: Sequence[Told]) -> tuple[bool, float | None]:
        """Whether a contract runs, and when the last one ended or will end."""
        known, end = False, 0.0
        open_ended = False
        for each in facts:
            if each.event in STARTS:
                known, open_ended = True, "renewal_at" not in each.given or each.given["renewal_at"] <= each.at
                end = each.given.get("renewal_at", 0.0)
            elif each.event == "Subscription Cancelled" and (not known or open_ended or end > each.at):
                known, open_ended, end = True, False, max(each.at, each.given.get("effective_at", each.at))
        if not known or open_ended:
            return known, None
        return t < end, end

    def _silent(self, t: float, told: Sequence[Told], floor: int, times: int) -> bool:
        days = self._days(told)
        if not days:
            return False
        last = max(each.at for each in told if self._value(each) and int(each.at // 1) == days[-1])
        gaps = [later - earlier for earlier, later in pairwise(days)][-20:]
        own = sorted(gaps)[-(-len(gaps) * 9 // 10) - 1] if len(gaps) >= 4 else self.rules.expected_gap_days
        return t >= last + max(floor, times * own)

    def _ends(self, t: float, facts: Sequence[Told], told: Sequence[Told]) -> bool:
        if any(each.event == "Account Deleted" for each in facts):
            return True
        if self.begun_at is None:
            return False
        runs, end = self._term(t, facts)
        if not runs and end is not None and t >= end + 30 and end + 30 >= self.begun_at:
            return True
        before = [each for each in told if each.at < self.begun_at]
        was_silent = self._silent(nextafter(self.begun_at, -inf), before, self.rules.churned_floor_days, 2)
        unbroken = was_silent and not any(each.at >= self.begun_at and self._value(each) for each in told)
        silent = not runs and self._silent(t, told, self.rules.churned_floor_days, 2)
        ran, _ = self._term(self.begun_at, [each for each in facts if each.at <= self.begun_at])
        return silent and (not unbroken or ran)

    def _risky(self, t: float, facts: Sequence[Told], told: Sequence[Told]) -> bool:
        if "at_risk" in self.when:
            return self.when["at_risk"](t)
        failed: float | None = None
        cancelled = False
        for each in facts:
            if each.event == "Payment Failed":
                failed = each.at if failed is None else failed
            elif each.event == "Payment Recovered":
                failed = None
            elif each.event == "Subscription Cancelled" or each.event in STARTS:
                cancelled = each.event not in STARTS
        overdue = failed is not None and t >= failed + 7
        return overdue or cancelled or self._silent(t, told, self.rules.at_risk_floor_days, 1)

    def _promotes(self, t: float, facts: Sequence[Told]) -> bool:
        if "advocate" in self.when:
            return self.when["advocate"](t)
        answers = [each for each in facts if each.event == "Survey Responded"]
        promoter = bool(answers) and answers[-1].given["score"] >= 9 and t < answers[-1].at + 180
        return promoter or any(each.event == "Referral Made" and t < each.at + 180 for each in facts)


def walked(rules: RuleSet, told: Sequence[Told], until: float) -> list[tuple[str, float]]:
    """The stages entered up to an instant, in order: the machine, stepping wherever anything can come true."""
    machine, entered = Machine(rules), list[tuple[str, float]]()
    for t in sorted({t for t in _moments(rules, told) if t <= until}):
        stage = machine.step(t, [each for each in told if each.at <= t])
        if stage is not None and (not entered or entered[-1][0] != stage):
            entered.append((stage, t))
    return entered


def _moments(rules: RuleSet, told: Sequence[Told]) -> Iterator[float]:
    days = sorted({int(each.at // 1) for each in told if each.value in rules.value_classes})
    owns = {later - earlier for earlier, later in pairwise(days)} | {rules.expected_gap_days}
    patience = {max(rules.at_risk_floor_days, own) for own in owns}
    patience |= {max(rules.churned_floor_days, 2 * own) for own in owns}
    for each in told:
        yield each.at
        yield each.at + 7
        yield each.at + 180
        for name in ("renewal_at", "effective_at"):
            if name in each.given:
                yield each.given[name]
                yield each.given[name] + 30
        yield each.at + 30
        if each.value in rules.value_classes:
            yield from (each.at + pause for pause in patience)
