"""Snapshots and touchpoints as the faces show them."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from jornada.events import JourneySnapshot, Stage
from jornada.web import Problem
from services.journey.domain.contracts import condition_of
from services.journey.domain.reading import Reading
from services.journey.domain.rules import CONDITIONAL

AsOf = Annotated[datetime | None, Query(description="An instant of event time; now by default.")]

_BECAUSE = {
    "first_touchpoint": ("First seen", "Visto pela primeira vez"),
    "known": ("Became known by an id or e-mail", "Identificado por um id ou e-mail"),
    "signed_up": ("Signed up", "Fez o cadastro"),
    "trial_started": ("Started a trial", "Começou um teste"),
    "subscription_started": ("Started a subscription", "Começou uma assinatura"),
    "purchased": ("Bought for the first time", "Comprou pela primeira vez"),
    "app_installed": ("Installed the app", "Instalou o aplicativo"),
    "app_opened": ("Opened the app", "Abriu o aplicativo"),
    "value_days": ("Used it on enough days", "Usou em dias suficientes"),
    "purchases": ("Bought again", "Comprou de novo"),
    "renewal": ("Active for half a year, and renewed", "Ativo há meio ano, e renovou"),
    "many_purchases": ("Active for half a year, and bought five times", "Ativo há meio ano, e comprou cinco vezes"),
    "value_weeks": ("Used it in nearly every week", "Usou em quase todas as semanas"),
    "many_value_days": ("Comes back again and again", "Volta sempre"),
    "promoter": ("Would recommend us", "Recomendaria"),
    "referral": ("Referred somebody", "Indicou alguém"),
    "silence": ("Silent for longer than usual", "Em silêncio por mais tempo que o habitual"),
    "payment_failed": ("A payment has failed for 7 days", "Um pagamento está em falta há 7 dias"),
    "cancellation": ("A cancellation stands", "Há um cancelamento em vigor"),
    "account_deleted": ("Deleted the account", "Excluiu a conta"),
    "contract_ended": ("The contract ended 30 days ago", "O contrato terminou há 30 dias"),
    "subscription_renewed": ("Renewed the subscription", "Renovou a assinatura"),
    "came_back": ("Came back", "Voltou"),
} | {condition_of(stage): ("Meets your own condition", "Atende à condição definida por vocês") for stage in CONDITIONAL}


def instant(as_of: datetime | None, now: datetime, name: str = "as_of") -> datetime:
    """The instant asked for by a query's name, in UTC; a 400 for one without a zone."""
    if as_of is None:
        return now
    if as_of.tzinfo is None:
        raise Problem(400, "invalid", f"{name} needs a zone, as in 2026-01-31T00:00:00Z.")
    return as_of.astimezone(UTC)


def refuse_as_of(as_of: datetime | None) -> None:
    """400 on lists: they tell what is, now."""
    if as_of is not None:
        raise Problem(400, "as_of_unsupported", "Lists take no as_of; one subject's documents do.")


def journey(snapshot: JourneySnapshot) -> dict[str, Any]:
    """One subject's document."""
    document: dict[str, Any] = {
        "as_of": snapshot.as_of,
        f"{snapshot.subject_type}_id": snapshot.subject_id,
        "version": snapshot.version,
        "identifiers": snapshot.identifiers,
        "traits": snapshot.traits,
        "owner": _owner(snapshot.traits.get("owner")),
        "relationship_types": snapshot.relationship_types,
        "rules": snapshot.rules,
        "rules_base": snapshot.rules_base,
        "stage": _stage(snapshot.stage, snapshot.as_of),
        "stages": [{**_stage(each, snapshot.as_of), "left_at": each.left_at} for each in snapshot.stages],
        "first_seen_at": snapshot.first_seen_at,
        "last_seen_at": snapshot.last_seen_at,
        "touchpoints": snapshot.touchpoints,
        "sessions": snapshot.sessions,
        "measures": snapshot.measures,
    }
    return document | (_customers_own(snapshot) if snapshot.subject_type == "customer" else {})


def _owner(stated: Any) -> str | None:
    """Who represents us: the trait, where it is a text."""
    return stated.strip() or None if isinstance(stated, str) else None


def _customers_own(snapshot: JourneySnapshot) -> dict[str, Any]:
    return {
        "account_id": snapshot.account_id,
        "segments": snapshot.segments,
        "personas": snapshot.personas,
        "former_segments": snapshot.former_segments,
        "former_personas": snapshot.former_personas,
    }


def item(snapshot: JourneySnapshot) -> dict[str, Any]:
    """A subject in a list."""
    document: dict[str, Any] = {
        f"{snapshot.subject_type}_id": snapshot.subject_id,
        "version": snapshot.version,
        "identifiers": snapshot.identifiers,
        "name": snapshot.traits.get("name"),
        "traits": snapshot.traits,
        "stage": _stage(snapshot.stage, snapshot.as_of),
        "first_seen_at": snapshot.first_seen_at,
        "last_seen_at": snapshot.last_seen_at,
        "touchpoints": snapshot.touchpoints,
    }
    return document | ({"account_id": snapshot.account_id} if snapshot.subject_type == "customer" else {})


def touchpoint(reading: Reading, session: UUID | None) -> dict[str, Any]:
    """A touchpoint of a path. `clock_shift_ms` was subtracted from its own time, as its sender's clock ran ahead."""
    told = reading.touchpoint
    type_, value = ("user_id", told.user_id) if told.user_id is not None else ("anonymous_id", told.anonymous_id)
    type_, value = ("account", told.group_id) if value is None else (type_, value)
    return {
        "message_id": told.message_id,
        "event": told.event,
        "kind": reading.kind,
        "channel": reading.channel,
        "occurred_at": told.occurred_at,
        "sent_at": told.sent_at,
        "received_at": told.received_at,
        "clock_shift_ms": told.clock_shift_ms,
        "session_id": session,
        "source": told.source,
        "identifier": {"type": type_, "value": value},
        "ours": reading.ours,
        "properties": reading.plain_properties(),
    }


def whole(reading: Reading, session: UUID | None) -> dict[str, Any]:
    """A touchpoint with its event as it was accepted, to the digit: context and unknown keys included."""
    return touchpoint(reading, session) | {"type": reading.touchpoint.type, "body": reading.touchpoint.body}


def _stage(stage: Stage, as_of: datetime) -> dict[str, Any]:
    """A stage with why, and for how many seconds the subject stands or stood there."""
    english, portuguese = _BECAUSE.get(stage.rule, (stage.rule, stage.rule))
    because = {"code": stage.rule, "message_id": stage.message_id, "text": {"en": english, "pt-BR": portuguese}}
    seconds = int(((stage.left_at or as_of) - stage.entered_at).total_seconds())
    return {"name": stage.name, "entered_at": stage.entered_at, "seconds": seconds, "because": because}
