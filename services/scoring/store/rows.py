"""What is stored of a judged subject: the snapshot to publish, its row, and its line of history."""

from decimal import Decimal
from typing import TypedDict

from jornada.events import (
    JourneyEvent,
    MergedInto,
    ScoreErased,
    ScoreMergedInto,
    ScoreSnapshot,
    SubjectId,
    SubjectType,
    WorkspaceId,
    encode,
)
from services.scoring.domain.health import top_reasons
from services.scoring.domain.judging import HEALTH, Judged, later
from services.scoring.domain.scores import FOLD, Configuration
from services.scoring.store.subjects import HistoryRow, Row


class _Whom(TypedDict):
    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    version: int


def snapshot_of(judged: Judged, version: int) -> ScoreSnapshot:
    journey, scores = judged.journey, judged.published
    health = judged.recorded[HEALTH]
    red = scores.shown.band == health.band == "red"
    return ScoreSnapshot(
        workspace=journey.workspace,
        subject_type=journey.subject_type,
        subject_id=journey.subject_id,
        version=version,
        fold=FOLD,
        as_of=scores.as_of,
        journey_version=journey.version,
        profile=scores.profile.label,
        health=scores.shown,
        churn_risk=scores.churn_risk,
        upsell_propensity=scores.upsell_propensity,
        red_since=health.since if red else None,
    )


def row_of(judged: Judged, version: int, configuration: Configuration) -> Row:
    journey, scores = judged.journey, judged.published
    snapshot = snapshot_of(judged, version)
    billing = journey.measures.billing
    mrr = Decimal(billing.mrr.amount) if billing is not None and billing.mrr is not None else None
    risk = scores.churn_risk.probability
    return Row(
        workspace=journey.workspace,
        id=journey.subject_id,
        type=journey.subject_type,
        journey_version=journey.version,
        version=version,
        journey=encode(journey),
        score=encode(snapshot),
        as_of=scores.as_of,
        band=scores.shown.band,
        health=scores.shown.score,
        risk=risk,
        mrr=mrr,
        currency=billing.mrr.currency if billing is not None and billing.mrr is not None else None,
        revenue_at_risk=float(mrr) * risk if mrr is not None and risk is not None else 0.0,
        stage=journey.stage.name,
        account=journey.account_id,
        band_since=judged.recorded[HEALTH].since,
        red_since=snapshot.red_since,
        grounds=configuration.grounds,
        segments=encode([each.name for each in journey.segments]).decode(),
        past_at=later(journey.history_at, journey.imported_at),
    )


def ended(event: JourneyEvent, version: int) -> Row:
    """What is left of a subject that is another one now, was erased, or has no touchpoints: its version, and that."""
    whom: _Whom = {
        "workspace": event.workspace,
        "subject_type": event.subject_type,
        "subject_id": event.subject_id,
        "version": version,
    }
    row = Row(event.workspace, event.subject_id, event.subject_type, event.version, version)
    if isinstance(event, MergedInto):
        return row._replace(score=encode(ScoreMergedInto(**whom, into=event.into)), merged_into=event.into)
    return row._replace(score=encode(ScoreErased(**whom)))


def history_of(judged: Judged, version: int) -> HistoryRow:
    scores = judged.published
    return HistoryRow(
        judged.journey.workspace,
        judged.journey.subject_id,
        version,
        scores.as_of,
        judged.journey.version,
        scores.profile.label,
        scores.shown.band,
        scores.shown.score,
        scores.churn_risk.probability,
        encode(top_reasons(scores.health)),
        FOLD,
        scores.churn_risk.model,
    )
