"""The stages of a journey and when each was entered: what they would be had every touchpoint come in order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from jornada.events import Stage
from services.journey.domain.reading import Key, instant, micros
from services.journey.domain.rules import RuleSet
from services.journey.domain.state import Contract, Day, State, value_days

_DAY = 86_400_000_000
_PAYMENT = timedelta(days=7)
_LADDER = ("visitor", "lead", "onboarding", "active")
_AT_RISK_FROM = _LADDER.index("onboarding")
_GAPS = 20
_FEWEST_GAPS = 4


class Entry(NamedTuple):
    """A stage entered at an instant (microseconds), by a rule, with the touchpoint that made it so."""

    us: int
    stage: str
    rule: str
    message_id: str


class _Risk(NamedTuple):
    rule: str
    begins: Key
    ends: Key | None


class _Change(NamedTuple):
    us: int
    order: int
    message_id: str
    rank: int
    rule: str
    opens: bool


def timeline(state: State, rules: RuleSet) -> list[Entry]:
    """Every stage ever entered, those that silence alone will bring included, in order."""
    changes = sorted([*_climbs(state, rules), *_turns(_risks(state, rules))])
    entries: list[Entry] = []
    rank, climbed_by, risks = -1, "", dict[str, str]()
    for us, group in groupby(changes, key=lambda change: change.us):
        cause = ""
        for change in group:
            cause = cause or change.message_id
            if change.rank >= 0:
                rank, climbed_by = (change.rank, change.rule) if change.rank > rank else (rank, climbed_by)
                cause = change.message_id
            elif change.opens:
                risks[change.rule] = change.message_id
            else:
                risks.pop(change.rule, None)
        entry = _standing(us, rank, climbed_by, risks, cause)
        if entry is not None and (not entries or entries[-1].stage != entry.stage):
            entries.append(entry)
    return entries


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


def own_gap(gaps: Sequence[int], rules: RuleSet) -> int:
    """The nearest-rank 90th percentile of the last 20 gaps in days; below 4 of them what the rules expect."""
    if len(gaps) < _FEWEST_GAPS:
        return rules.expected_gap_days
    last = sorted(gaps[-_GAPS:])
    return last[-(-len(last) * 9 // 10) - 1]


def gaps_of(days: Iterable[int]) -> list[int]:
    """The gaps between value days, in whole days, in order."""
    return [later - earlier for earlier, later in pairwise(sorted(days))]


def unpaid_since(contract: Sequence[Contract]) -> int | None:
    """The first payment failure after the last recovery, in microseconds; None while all is paid."""
    since: int | None = None
    for us, _, kind, _ in contract:
        if kind == "payment_failed":
            since = us if since is None else since
        elif kind == "payment_recovered":
            since = None
    return since


def cancels_at(contract: Sequence[Contract]) -> int | None:
    """When the contract ends by the cancellation that stands, in microseconds; None without one."""
    ends: int | None = None
    for us, _, kind, effective in contract:
        if kind == "subscription_cancelled":
            ends = us if effective is None else effective
        elif kind in {"subscription_started", "subscription_renewed"}:
            ends = None
    return ends


def _standing(us: int, rank: int, climbed_by: str, risks: Mapping[str, str], cause: str) -> Entry | None:
    if rank < 0:
        return None
    if rank >= _AT_RISK_FROM and risks:
        rule = next(iter(risks))
        return Entry(us, "at_risk", rule, risks[rule])
    return Entry(us, _LADDER[rank], climbed_by, cause)


def _climbs(state: State, rules: RuleSet) -> list[_Change]:
    """The first instants at which the rules of the ladder, which latch, became true."""
    begun = [(seen[1], seen[2], kind) for kind, seen in state.kinds.items() if kind in rules.onboarding_kinds]
    reached = [
        (0, "first_touchpoint", state.first),
        (1, "known", state.known),
        (2, min(begun)[2] if begun else "", min(begun)[:2] if begun else None),
        (3, *_activation(state, rules)),
    ]
    return [_Change(key[0], 0, key[1], rank, rule, True) for rank, rule, key in reached if key is not None]


def _activation(state: State, rules: RuleSet) -> tuple[str, Key | None]:
    days = value_days(state, rules.value_classes)
    numbers = sorted(days)
    found: list[tuple[Key, str]] = []
    for last in range(rules.active_days - 1, len(numbers)):
        span = numbers[last] - numbers[last - rules.active_days + 1] + 1
        if rules.active_within_days is None or span <= rules.active_within_days:
            found.append((days[numbers[last]][:2], "value_days"))
            break
    if 0 < rules.active_purchases <= len(state.purchases):
        found.append((state.purchases[rules.active_purchases - 1], "purchases"))
    if not found:
        return "", None
    key, rule = min(found)
    return rule, key


def _risks(state: State, rules: RuleSet) -> list[_Risk]:
    risks = [
        *_silences(value_days(state, rules.value_classes), rules),
        *_unpaid(state.contract),
        *_cancelled(state.contract),
    ]
    return [risk for risk in risks if risk.ends is None or risk.begins[0] < risk.ends[0]]


def _turns(risks: Iterable[_Risk]) -> list[_Change]:
    changes = []
    for rule, begins, ends in risks:
        changes.append(_Change(begins[0], 2, begins[1], -1, rule, True))
        if ends is not None:
            changes.append(_Change(ends[0], 1, ends[1], -1, rule, False))
    return changes


def _silences(days: Mapping[int, Day], rules: RuleSet) -> list[_Risk]:
    numbers = sorted(days)
    gaps = gaps_of(numbers)
    silences = []
    for place, number in enumerate(numbers):
        _, _, last, message_id = days[number]
        following = days[numbers[place + 1]][:2] if place + 1 < len(numbers) else None
        if following is not None and following[0] - last <= rules.at_risk_floor_days * _DAY:
            continue
        patience = max(rules.at_risk_floor_days, own_gap(gaps[max(place - _GAPS, 0) : place], rules))
        silences.append(_Risk("silence", (last + patience * _DAY, message_id), following))
    return silences


def _unpaid(contract: Sequence[Contract]) -> list[_Risk]:
    risks: list[_Risk] = []
    since: Key | None = None
    for us, message_id, kind, _ in contract:
        if kind == "payment_failed" and since is None:
            since = (us + _PAYMENT // timedelta(microseconds=1), message_id)
        elif kind == "payment_recovered" and since is not None:
            risks.append(_Risk("payment_failed", since, (us, message_id)))
            since = None
    return [*risks, _Risk("payment_failed", since, None)] if since is not None else risks


def _cancelled(contract: Sequence[Contract]) -> list[_Risk]:
    risks: list[_Risk] = []
    since: Key | None = None
    for us, message_id, kind, _ in contract:
        if kind == "subscription_cancelled" and since is None:
            since = (us, message_id)
        elif kind in {"subscription_started", "subscription_renewed"} and since is not None:
            risks.append(_Risk("cancellation", since, (us, message_id)))
            since = None
    return [*risks, _Risk("cancellation", since, None)] if since is not None else risks
