"""Values for the tests of notify, with keyword overrides."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from jornada.bus.carrier import Record
from jornada.events import (
    CROSSINGS,
    JOURNEYS,
    SCORES,
    ChurnRisk,
    Crossing,
    Health,
    Identifier,
    JourneySnapshot,
    Measures,
    Reason,
    ScoreSnapshot,
    Stage,
    SubjectId,
    UpsellPropensity,
    WorkspaceId,
    derived_id,
    encode,
    topic_key,
)
from services.notify.campaigns import shipped
from services.notify.domain.campaigns import Campaign, campaign_of
from services.notify.domain.customers import Customer

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
WORKSPACE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))
SHIPPED = "retention-check-in"
BECAUSE = Reason(code="silent", values={"days": 24}, text={"en": "no use for 24 days", "pt-BR": "sem uso há 24 dias"})


def subject_of(name: str) -> SubjectId:
    """The id of the customer of that name."""
    return SubjectId(derived_id("customer", name))


def customer(name: str = "ana", **over: Any) -> Customer:
    """A customer with an address."""
    known: dict[str, Any] = {
        "id": subject_of(name),
        "identifiers": [Identifier("user_id", name)],
        "stage": "at_risk",
        "traits": {"email": f"{name}@example.com", "firstName": name.title()},
    }
    return Customer(**known | over)


def campaign(**over: Any) -> Campaign:
    """The campaign that ships as a service message, changed."""
    return msgspec.structs.replace(campaign_of(shipped()[SHIPPED]), **({"purpose": "service"} | over))


def snapshot(
    name: str = "ana",
    *,
    workspace: WorkspaceId = WORKSPACE,
    version: int = 10,
    traits: Mapping[str, Any] | None = None,
    consents: Mapping[str, str] | None = None,
    stage: str = "at_risk",
) -> JourneySnapshot:
    """A customer's journey."""
    entered = Stage(name=stage, entered_at=AT)
    given = {"email": f"{name}@example.com", "firstName": name.title()}
    return JourneySnapshot(
        workspace=workspace,
        subject_type="customer",
        subject_id=subject_of(name),
        version=version,
        fold=1,
        as_of=AT,
        identifiers=[Identifier("user_id", name)],
        stage=entered,
        stages=[entered],
        first_seen_at=AT,
        last_seen_at=AT,
        touchpoints=10,
        sessions=3,
        rules="subscription",
        measures=Measures(consents=dict(consents or {})),
        traits=given | dict(traits or {}),
    )


def scores(name: str = "ana", *, workspace: WorkspaceId = WORKSPACE, journey_version: int = 10) -> ScoreSnapshot:
    """A customer's scores, in red."""
    return ScoreSnapshot(
        workspace=workspace,
        subject_type="customer",
        subject_id=subject_of(name),
        version=journey_version + 1,
        fold=1,
        as_of=AT,
        journey_version=journey_version,
        profile="subscription",
        health=Health(band="red", coverage=1.0, components=[], score=31.5),
        churn_risk=ChurnRisk(horizon_days=30, model="level-1", band="red"),
        upsell_propensity=UpsellPropensity(model="rules-1"),
    )


def crossing(
    name: str = "ana",
    *,
    workspace: WorkspaceId = WORKSPACE,
    ordinal: int = 1,
    recorded_at: datetime = AT,
    **over: Any,
) -> Crossing:
    """A crossing of health into red."""
    known: dict[str, Any] = {
        "id": derived_id("crossing", workspace, name, ordinal),
        "workspace": workspace,
        "subject_type": "customer",
        "subject_id": subject_of(name),
        "score": "health",
        "ordinal": ordinal,
        "from_": "yellow",
        "to": "red",
        "value": 31.5,
        "at": recorded_at - timedelta(seconds=1),
        "recorded_at": recorded_at,
        "because": [BECAUSE],
        "identifiers": [Identifier("user_id", name)],
    }
    return Crossing(**known | over)


def records(*events: JourneySnapshot | ScoreSnapshot | Crossing) -> list[Record]:
    """The events as they are published."""
    topics = {JourneySnapshot: JOURNEYS, ScoreSnapshot: SCORES, Crossing: CROSSINGS}
    return [
        Record(topics[type(each)].name, topic_key(each.workspace, each.subject_id), encode(each)) for each in events
    ]


def into_red(names: Sequence[str], *, workspace: WorkspaceId, recorded_at: datetime) -> list[Record]:
    """Everything that is published when these customers cross into red."""
    return [
        record
        for name in names
        for record in records(
            snapshot(name, workspace=workspace),
            scores(name, workspace=workspace),
            crossing(name, workspace=workspace, recorded_at=recorded_at),
        )
    ]
