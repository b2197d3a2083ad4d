"""A subject's journey as journey publishes it: the snapshot, or what became of it."""

from datetime import datetime
from typing import Any

import msgspec

from jornada.events.ids import SubjectId, SubjectType, WorkspaceId


class Identifier(msgspec.Struct, frozen=True, order=True):
    """One of a subject's names: (type, value), as `user_id:42`."""

    type: str
    value: str


class Money(msgspec.Struct, frozen=True):
    """A decimal amount as text, and its ISO 4217 currency."""

    amount: str
    currency: str


class Stage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stage of the journey, when it was entered and left, the rule that holds and the touchpoint that made it so."""

    name: str
    entered_at: datetime
    left_at: datetime | None = None
    rule: str = ""
    message_id: str | None = None


class Membership(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer's latest time in a segment or persona: entered at, and left at or None while it lasts."""

    name: str
    entered_at: datetime
    left_at: datetime | None = None


class Decayed(msgspec.Struct, frozen=True):
    """A sum that halves every `half_life_days`: `value` is the sum as it stood at `at`."""

    half_life_days: int
    value: float
    at: datetime


class DecayedMean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean in which every value weighs half after each `half_life_days`; `weight` is the sum as it stood at `at`.

    Until a next value comes the mean stays and its weight goes on halving.
    """

    half_life_days: int
    mean: float
    weight: float
    at: datetime


class Use(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the subject uses the product. A value day is a UTC day with an act of use.

    `days_decayed` holds one decayed count of value days for each half-life of the ladder (7, 14, 30, 60, 90 days).
    `own_gap_days` is the 90th percentile of the last 20 gaps between value days, `mean_gap_days` their mean and `gaps`
    how many they are; below 4 of them `own_gap_days` is the rule set's, `expected_gap_days`.
    """

    last_value_at: datetime
    value_days: int
    own_gap_days: int
    days_decayed: list[Decayed]
    features: dict[str, datetime] = {}
    gaps: int = 0
    expected_gap_days: int = 0
    mean_gap_days: float | None = None


class OpenTicket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A support ticket that stands open; severity runs from 1 (worst) to 4."""

    ticket_id: str
    opened_at: datetime
    severity: int = 3
    category: str | None = None
    reopened: bool = False
    escalated: bool = False


class Support(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tickets: how many there ever were, those that are open, and how the known ones went.

    Means are over the tickets that tell: seconds to the first response and to the resolution, and the share (0 to 1)
    that one contact resolved.
    """

    tickets: int
    open: list[OpenTicket] = []
    resolved: int = 0
    first_response_seconds: float | None = None
    resolution_seconds: float | None = None
    first_contact_share: float | None = None


class Billing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The contract and how it is paid. `payment_failed_since` is the first failure after the last recovery.

    `overdue` maps invoices that stand overdue to since when. `plan_at` and `seats_at` are when each was stated.
    `trial_started_at` and `trial_ends_at` are the latest trial's; it ended where a contract started while it ran.
    `started_at` is when the latest contract began; renewed in time it goes on. `auto_renew` is as stated last.
    """

    plan: str | None = None
    mrr: Money | None = None
    seats: int | None = None
    renewal_at: datetime | None = None
    cancels_at: datetime | None = None
    payment_failed_since: datetime | None = None
    overdue: dict[str, datetime] = {}
    plan_at: datetime | None = None
    seats_at: datetime | None = None
    trial_started_at: datetime | None = None
    trial_ends_at: datetime | None = None
    auto_renew: bool | None = None
    started_at: datetime | None = None


class Feedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The latest answer to each kind of survey: its score and when; `levels` are the scores on a scale from 0 to 1.

    `replied` is how many of the `answers` (the latest 100) were answered within 14 days. `level_decayed` are means over
    all answers of any survey on that scale, one for each half-life of the ladder (7, 14, 30, 60, 90 days).
    """

    nps: int | None = None
    nps_at: datetime | None = None
    csat: float | None = None
    csat_at: datetime | None = None
    ces: float | None = None
    ces_at: datetime | None = None
    levels: dict[str, float] = {}
    answers: int = 0
    replied: int = 0
    level_decayed: list[DecayedMean] = []


class Learning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Courses known and completed, steps of the onboarding completed, and the latest completion of either."""

    courses: int = 0
    courses_completed: int = 0
    onboarding_steps: int = 0
    latest_at: datetime | None = None


class Contacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When the customer last spoke to us, and when one of us last spoke to them."""

    inbound_at: datetime | None = None
    outbound_at: datetime | None = None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How often a kind was seen, and last; `decayed` are counts that halve, as they stood then.

    There is one for each half-life of the ladder: 7, 14, 30, 60, 90 days.
    """

    total: int
    last_at: datetime
    decayed: list[float]


class Milestone(msgspec.Struct, frozen=True):
    """What a journey reaches once, and when it did."""

    name: str
    reached_at: datetime


class Measures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The numbers kept on the journey; a part is absent where nothing of its kind was ever received.

    `people` and `people_by_day` are an account's: how many people did their latest act of use on which day (since 1970,
    UTC), in order, of the newest 60 days with any.
    `consents` maps `channel/purpose` to `granted`, `denied` or `revoked`.
    """

    use: Use | None = None
    support: Support | None = None
    billing: Billing | None = None
    feedback: Feedback | None = None
    trainings_completed: int = 0
    consents: dict[str, str] = {}
    revenue: list[Money] = []
    learning: Learning | None = None
    counts: dict[str, Counted] = {}
    milestones: list[Milestone] = []
    time_to_value_seconds: int | None = None
    people: int = 0
    people_by_day: list[tuple[int, int]] = []
    contacts: Contacts | None = None


class Relationship(msgspec.Struct, frozen=True, kw_only=True):
    """A way in which a customer is served: since when, and what says so, `trait` or a kind."""

    type: str
    since: datetime
    source: str


class Follows(msgspec.Struct, frozen=True, kw_only=True):
    """The version before, and the earliest instant of what is new since: when it happened, or when time brought it.

    What the earlier journey says of any instant before `differs_from` still holds.
    """

    version: int
    differs_from: datetime


class JourneySnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot"):
    """Where one subject stands, whole. A consumer keeps the highest version and ignores the rest.

    `fold` is the number of the fold that made it. `rules` names the rule set of its stages, `rules_base` the one that
    ships which it is or begins from.
    `touchpoints` is 0 of whom nothing counts any more: a change of what names mean may give all to others, and back.
    `segments` and `personas` are those that the customer is in; `former_…` the latest stays in those they left.
    `relationship_types` are the ways in which they are served, by type.
    `live_at` is the latest instant at which something that was no history reached us;
    `history_at` the latest receipt of history from a source that is not an import, `imported_at` of history from one
    that is. Equal events may differ in all three.
    `follows` is absent where nobody can say what is new: of the first, and of one that was told from all touchpoints.
    """

    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int
    fold: int
    as_of: datetime
    identifiers: list[Identifier]
    stage: Stage
    stages: list[Stage]
    first_seen_at: datetime
    last_seen_at: datetime
    touchpoints: int
    sessions: int
    rules: str
    measures: Measures
    traits: dict[str, Any] = {}
    account_id: SubjectId | None = None
    segments: list[Membership] = []
    personas: list[Membership] = []
    former_segments: list[Membership] = []
    former_personas: list[Membership] = []
    live_at: datetime | None = None
    history_at: datetime | None = None
    imported_at: datetime | None = None
    relationship_types: list[Relationship] = []
    rules_base: str = ""
    follows: Follows | None = None


class MergedInto(msgspec.Struct, frozen=True, kw_only=True, tag="merged_into"):
    """The subject is another one now; the survivor's snapshot tells the journey."""

    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int
    into: SubjectId


class Erased(msgspec.Struct, frozen=True, kw_only=True, tag="erased"):
    """The subject was erased; consumers forget it and keep the version for ever."""

    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int


JourneyEvent = JourneySnapshot | MergedInto | Erased
