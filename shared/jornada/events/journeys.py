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


class Use(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the subject uses the product. A value day is a UTC day with an act of use.

    `days_decayed` holds one decayed count of value days for each half-life of the ladder (7, 14, 30, 60, 90 days).
    `own_gap_days` is the 90th percentile of the last 20 gaps between value days, or the rule set's expected gap.
    """

    last_value_at: datetime
    value_days: int
    own_gap_days: int
    days_decayed: list[Decayed]
    features: dict[str, datetime] = {}


class OpenTicket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A support ticket that stands open; severity runs from 1 (worst) to 4."""

    ticket_id: str
    opened_at: datetime
    severity: int = 3
    category: str | None = None
    reopened: bool = False


class Support(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tickets: how many were ever opened, and those that are open."""

    tickets: int
    open: list[OpenTicket] = []


class Billing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The contract and how it is paid. `payment_failed_since` is the first failure after the last recovery."""

    plan: str | None = None
    mrr: Money | None = None
    seats: int | None = None
    renewal_at: datetime | None = None
    cancels_at: datetime | None = None
    payment_failed_since: datetime | None = None


class Feedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The latest answer to each kind of survey: its score and when."""

    nps: int | None = None
    nps_at: datetime | None = None
    csat: float | None = None
    csat_at: datetime | None = None


class Measures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The numbers kept on the journey; a part is absent where nothing of its kind was ever received.

    `people` and `active_people` (each person's latest value instant, newest first, at most 1,000) are an account's.
    `consents` maps `channel/purpose` to `granted`, `denied` or `revoked`.
    """

    use: Use | None = None
    support: Support | None = None
    billing: Billing | None = None
    feedback: Feedback | None = None
    trainings_completed: int = 0
    consents: dict[str, str] = {}
    revenue: list[Money] = []
    people: int = 0
    active_people: list[datetime] = []


class JourneySnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot"):
    """Where one subject stands, whole. A consumer keeps the highest version and ignores the rest.

    `fold` is the number of the fold that made it. `rules` names the rule set of its stages.
    `segments` and `personas` are those that the customer is in; `former_…` the latest stays in those they left.
    `live_at` is the latest instant at which something that was no history reached us;
    `history_at` the latest receipt of history from a source that is not an import. Equal events may differ in both.
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
