"""A subject's scores as scoring publishes them: health, churn risk and upsell propensity, with their reasons."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from jornada.events.ids import SubjectId, SubjectType, WorkspaceId

Band = Literal["green", "yellow", "red", "unknown"]


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why, as a code with the numbers behind it and the texts made from those numbers alone (`en`, `pt-BR`)."""

    code: str
    values: dict[str, Any] = {}
    text: dict[str, str] = {}


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One part of health: `value` in 0–1, its share `weight` (the known sum to 1), `points` = 100 · weight · value."""

    name: str
    points: float
    weight: float
    value: float
    because: Reason


class Crosses(msgspec.Struct, frozen=True):
    """The band that comes next, and when, if nothing more happens."""

    band: Band
    at: datetime


class Computed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Health as it was computed, beside what a person says instead."""

    band: Band
    score: float | None = None


class Overridden(msgspec.Struct, frozen=True, kw_only=True):
    """Who says what health is shown as, why, and from when until when."""

    author: str
    reason: str
    since: datetime
    until: datetime


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A component that is not known, as what a source sends of a kind comes from next to nobody since then."""

    component: str
    source: str
    kind: str
    since: datetime
    because: Reason


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """0–100, higher is better: the sum of its components' points, under the vetoes. `coverage` is in 0–1.

    While a person's word stands in for it, `override` says whose; `score` and `band` are theirs, and the sum is
    `computed`, which `crosses` and all crossings go on from. What is `frozen` counts in nothing.
    """

    band: Band
    coverage: float
    components: list[Component]
    score: float | None = None
    vetoes: list[Reason] = []
    crosses: Crosses | None = None
    unknown_because: Reason | None = None
    computed: Computed | None = None
    override: Overridden | None = None
    frozen: list[Frozen] = []


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One named part of a probability, in log-odds; positive raises it."""

    name: str
    contribution: float
    because: Reason


class ChurnRisk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The probability of leaving within the horizon, with an honest interval; higher is worse."""

    horizon_days: int
    model: str
    band: Band
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    factors: list[Factor] = []


class UpsellPropensity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The probability that the subject would take more; `gated_because` says why nobody should ask now."""

    model: str
    probability: float | None = None
    factors: list[Factor] = []
    gated_because: Reason | None = None


class ScoreSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot"):
    """One subject's scores, whole. A consumer keeps the highest version and ignores the rest."""

    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int
    fold: int
    as_of: datetime
    journey_version: int
    profile: str
    health: Health
    churn_risk: ChurnRisk
    upsell_propensity: UpsellPropensity
    red_since: datetime | None = None


class ScoreMergedInto(msgspec.Struct, frozen=True, kw_only=True, tag="merged_into"):
    """The subject is another one now."""

    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int
    into: SubjectId


class ScoreErased(msgspec.Struct, frozen=True, kw_only=True, tag="erased"):
    """The subject was erased, or nothing of it counts any more; consumers forget its scores and keep the version."""

    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int


ScoreEvent = ScoreSnapshot | ScoreMergedInto | ScoreErased
