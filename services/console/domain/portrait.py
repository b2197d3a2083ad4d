"""One subject's page: stage, scores with their reasons, what was done, and its path."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from services.console.domain.reading import Band, Document, band, instant, mapping, mappings, number, text


@dataclass(frozen=True, slots=True)
class Bar:
    """A component of health: its points out of the most it can give."""

    name: str
    points: float
    most: float
    because: object


@dataclass(frozen=True, slots=True)
class Push:
    """A factor of a probability: positive pushes it up; `share` is its size beside the largest (0–1)."""

    name: str
    contribution: float
    share: float
    because: object


@dataclass(frozen=True, slots=True)
class HealthView:
    score: float | None
    band: Band
    coverage: float | None
    bars: Sequence[Bar]
    vetoes: Sequence[Document]
    unknown_because: object
    crosses_to: Band | None
    crosses_at: datetime | None
    trend: float | None
    fix: object
    override: "OverrideView | None"


@dataclass(frozen=True, slots=True)
class OverrideView:
    """A person's word that is shown in place of what was computed."""

    author: str
    reason: str
    until: datetime | None
    computed: float | None
    computed_band: Band


@dataclass(frozen=True, slots=True)
class SinceView:
    """What changed health since an instant, in points: in all, by cause, by component; without what changed nothing."""

    at: datetime | None
    change: float
    causes: Sequence[tuple[str, float]]
    components: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class ProbabilityView:
    """A probability with its interval and factors; `gated_because` says why it is not to be acted on."""

    probability: float | None
    low: float | None
    high: float | None
    band: Band
    horizon_days: int | None
    model: str
    pushes: Sequence[Push]
    gated_because: object


@dataclass(frozen=True, slots=True)
class Act:
    """One touchpoint of the path."""

    event: str
    kind: str
    channel: str
    at: datetime | None
    source: str
    ours: bool
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sitting:
    """Touchpoints of one session, newest first."""

    began_at: datetime | None
    seconds: float
    acts: Sequence[Act]


def health(scores: Document) -> HealthView:
    """Health out of scoring's document."""
    found = mapping(scores.get("health"))
    crosses = mapping(found.get("crosses"))
    bars = [
        Bar(
            text(each.get("name")),
            number(each.get("points")) or 0.0,
            100 * (number(each.get("weight")) or 0.0),
            each.get("because"),
        )
        for each in mappings(found.get("components"))
    ]
    return HealthView(
        number(found.get("score")),
        band(found.get("band")),
        number(found.get("coverage")),
        bars,
        mappings(found.get("vetoes")),
        found.get("unknown_because"),
        band(crosses["band"]) if "band" in crosses else None,
        instant(crosses.get("at")),
        number(mapping(found.get("trend")).get("change")),
        mapping(found.get("fix")).get("because"),
        _override(found),
    )


def _override(health: Document) -> OverrideView | None:
    said, computed = mapping(health.get("override")), mapping(health.get("computed"))
    if not said:
        return None
    return OverrideView(
        text(said.get("author")),
        text(said.get("reason")),
        instant(said.get("until")),
        number(computed.get("score")),
        band(computed.get("band")),
    )


def since_last(scores: Document) -> SinceView | None:
    """The change out of scoring's document; None where nothing changed, or nobody knows."""
    found = mapping(scores.get("since_last"))
    causes = [(cause, number(found.get(cause)) or 0.0) for cause in ("event", "time", "config", "model")]
    moved = [(cause, points) for cause, points in causes if round(points) != 0]
    parts = [(text(each.get("name")), _moved(each)) for each in mappings(found.get("components"))]
    components = [(name, points) for name, points in parts if round(points) != 0]
    return SinceView(instant(found.get("at")), number(found.get("change")) or 0.0, moved, components) if moved else None


def _moved(component: Document) -> float:
    return (number(component.get("event")) or 0.0) + (number(component.get("time")) or 0.0)


def probability(document: object) -> ProbabilityView:
    """Churn risk or upsell propensity out of scoring's document."""
    found = mapping(document)
    factors = mappings(found.get("factors"))
    largest = max((abs(number(each.get("contribution")) or 0) for each in factors), default=0) or 1
    horizon = number(found.get("horizon_days"))
    return ProbabilityView(
        number(found.get("probability")),
        number(found.get("low")),
        number(found.get("high")),
        band(found.get("band")),
        int(horizon) if horizon is not None else None,
        text(found.get("model")),
        [push for push in (_push(each, largest) for each in factors) if abs(push.contribution) >= LEAST_PUSH],
        found.get("gated_because"),
    )


LEAST_PUSH = 0.05
"""In log-odds: by less than that, a point of a probability or so, nothing is said to raise or lower it."""


def _push(factor: Document, largest: float) -> Push:
    contribution = number(factor.get("contribution")) or 0.0
    return Push(text(factor.get("name")), contribution, abs(contribution) / largest, factor.get("because"))


def sittings(touchpoints: Sequence[Document]) -> list[Sitting]:
    """The path in sessions, newest first, as the touchpoints come."""
    found = []
    for _, group in groupby(touchpoints, key=lambda each: each.get("session_id") or each.get("message_id")):
        acts = [_act(each) for each in group]
        times = [act.at for act in acts if act.at is not None]
        seconds = (max(times) - min(times)).total_seconds() if times else 0.0
        found.append(Sitting(min(times, default=None), seconds, acts))
    return found


def _act(touchpoint: Document) -> Act:
    facts = facts_of(mapping(touchpoint.get("properties")))
    return Act(
        text(touchpoint.get("event")),
        text(touchpoint.get("kind")),
        text(touchpoint.get("channel")),
        instant(touchpoint.get("occurred_at")),
        text(touchpoint.get("source")),
        touchpoint.get("ours") is True,
        facts[:4],
    )


def facts_of(document: Document, longest: int = 120) -> list[tuple[str, str]]:
    """The plain values of an object by name, as texts, cut at `longest`; lists and objects only by their size."""
    return [(str(name), _plain(value)[:longest]) for name, value in document.items() if value is not None]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return f"({len(value)})"
    return str(value)


@dataclass(frozen=True, slots=True)
class StageView:
    """A stage: when it was entered and left, and why."""

    name: str
    entered_at: datetime | None
    left_at: datetime | None
    because: object


def stage(document: object) -> StageView:
    """One of journey's stages."""
    found = mapping(document)
    return StageView(
        text(found.get("name")),
        instant(found.get("entered_at")),
        instant(found.get("left_at")),
        found.get("because") or text(found.get("rule")),
    )


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message to a customer: what it says, to whom it went and how that ended."""

    subject: str
    text: str
    detail: str


def message(document: Document) -> MessageView:
    """One of notify's messages."""
    detail = " · ".join(
        part
        for part in (text(document.get("campaign")), text(document.get("language")), text(document.get("status")))
        if part
    )
    return MessageView(
        text(document.get("subject")) or text(document.get("campaign")) or "…", text(document.get("text")), detail
    )
