"""Scores as documents: reasons as text in the language asked for, with the numbers that made it beside it."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from jornada.events import ChurnRisk, Health, JourneySnapshot, Reason, UpsellPropensity
from jornada.instants import instant
from services.scoring.domain.health import first_fix, top_reasons
from services.scoring.domain.people import people_of
from services.scoring.domain.profiles import COMPONENTS, Profile
from services.scoring.domain.scores import FOLD, Scores
from services.scoring.domain.shapes import significant
from services.scoring.domain.since import Since
from services.scoring.domain.stating import described
from services.scoring.domain.words import minute, reason
from services.scoring.store.freezes import Kept
from services.scoring.store.imports import Import
from services.scoring.store.overrides import Said
from services.scoring.store.profiles import Saved
from services.scoring.store.reading import Published, Scored

Language = Literal["en", "pt-BR"]
Document = dict[str, Any]

TREND_DAYS = 30
ROW_REASONS = 3


def instant_text(at: datetime) -> str:
    """RFC 3339 in UTC with six decimals."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _when(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)


def _text(reason: Reason | None, language: Language) -> str | None:
    return None if reason is None else reason.text.get(language, reason.code)


def _reason(reason: Reason, language: Language) -> Document:
    return {"because": _text(reason, language), "reason": {"code": reason.code, "values": reason.values}}


def subject_face(journey: JourneySnapshot) -> Document:
    """Who it is: `{type, id, identifiers, name}`."""
    traits = journey.traits
    parts = [part for part in (traits.get("firstName"), traits.get("lastName")) if isinstance(part, str)]
    name = traits.get("name") if isinstance(traits.get("name"), str) else " ".join(parts) or None
    return {
        "type": journey.subject_type,
        "id": journey.subject_id,
        "identifiers": journey.identifiers,
        "name": name,
    }


def health_face(health: Health, language: Language) -> Document:
    """Health with its components, vetoes and next band."""
    unknown = health.unknown_because
    return {
        "score": health.score,
        "band": health.band,
        "coverage": health.coverage,
        "components": [
            {"name": each.name, "points": each.points, "weight": each.weight, "value": each.value}
            | _reason(each.because, language)
            for each in health.components
        ],
        "vetoes": [_reason(each, language) | {"text": each.text} for each in health.vetoes],
        "crosses": {"band": health.crosses.band, "at": instant_text(health.crosses.at)} if health.crosses else None,
        "computed": {"score": health.computed.score, "band": health.computed.band} if health.computed else None,
        "override": _override(health),
        "frozen": [
            {"component": each.component, "source": each.source, "kind": each.kind, "since": instant_text(each.since)}
            | _reason(each.because, language)
            for each in health.frozen
        ],
        "unknown_because": _text(unknown, language),
        "unknown_reason": {"code": unknown.code, "values": unknown.values} if unknown else None,
    }


def _override(health: Health) -> Document | None:
    said = health.override
    if said is None:
        return None
    return {
        "author": said.author,
        "reason": said.reason,
        "since": instant_text(said.since),
        "until": instant_text(said.until),
    }


def risk_face(risk: ChurnRisk, language: Language) -> Document:
    """Churn risk with its interval and factors (log-odds)."""
    return {
        "probability": risk.probability,
        "low": risk.low,
        "high": risk.high,
        "band": risk.band,
        "horizon_days": risk.horizon_days,
        "model": risk.model,
        "factors": [
            {"name": each.name, "contribution": each.contribution} | _reason(each.because, language)
            for each in risk.factors
        ],
    }


def upsell_face(upsell: UpsellPropensity, language: Language) -> Document:
    """Upsell propensity; `gated_because` says why nobody should ask now."""
    gate = upsell.gated_because
    return {
        "probability": upsell.probability,
        "model": upsell.model,
        "factors": [
            {"name": each.name, "contribution": each.contribution} | _reason(each.because, language)
            for each in upsell.factors
        ],
        "gated_because": _text(gate, language),
        "gated_reason": {"code": gate.code, "values": gate.values} if gate else None,
    }


def since_face(since: Since | None) -> Document | None:
    """What has changed health since it last did by a point: `event`, `time`, `config` and `model` sum to `change`."""
    if since is None:
        return None
    return {
        "at": instant_text(since.at),
        "score": since.score,
        "change": since.change,
        "event": since.event,
        "time": since.time,
        "config": since.config,
        "model": since.model,
        "components": [each._asdict() for each in since.components],
    }


def trend_face(health: Health, earlier: float | None) -> Document | None:
    """By how many points health has changed in 30 days; None where it was not scored then, or is not now."""
    if health.score is None or earlier is None:
        return None
    return {"days": TREND_DAYS, "change": significant(health.score - earlier)}


def people_face(journey: JourneySnapshot) -> Document | None:
    """How many of an account's people stand in each computed band, and how many champions it has; None of others."""
    people = people_of(journey)
    if people is None:
        return None
    bands = {band: getattr(people, band) for band in ("green", "yellow", "red", "unknown")}
    return {"bands": bands, "champions": people.champions, "champions_silent": people.silent}


def scores_face(
    found: Scored, scores: Scores, since: Since | None, earlier: float | None, language: Language
) -> Document:
    """One subject's scores at an instant. `red_since` is what is on record, while the band is red.

    `earlier` is the health that was published 30 days before.
    """
    fix = first_fix(scores.health)
    return {
        "subject": subject_face(found.journey),
        "stage": found.journey.stage.name,
        "as_of": instant_text(scores.as_of),
        "journey_version": found.journey.version,
        "profile": scores.profile.label,
        "fold": FOLD,
        "health": health_face(scores.shown, language)
        | {"trend": trend_face(scores.health, earlier), "fix": _reason(fix, language) if fix else None},
        "churn_risk": risk_face(scores.churn_risk, language),
        "upsell_propensity": upsell_face(scores.upsell_propensity, language),
        "red_since": _when(found.scores.red_since) if scores.shown.band == "red" else None,
        "people": people_face(found.journey),
        "since_last": since_face(since),
    }


def row_face(found: Scored, language: Language) -> Document:
    """One line of the list: as last scored, at `as_of`. `reasons`: the first three, of which `because` is the first."""
    scores, billing = found.scores, found.journey.measures.billing
    mrr = billing.mrr if billing else None
    at_risk = {"amount": f"{found.revenue_at_risk:.2f}", "currency": mrr.currency} if mrr else None
    reasons = [_reason(each, language) for each in top_reasons(scores.health)[:ROW_REASONS]]
    top = reasons[0] if reasons else {"because": None, "reason": None}
    health, risk = scores.health, scores.churn_risk
    told, told_risk = health_face(health, language), risk_face(risk, language)
    return {
        "subject": subject_face(found.journey),
        "stage": found.journey.stage.name,
        "band": health.band,
        "health": {name: told[name] for name in ("score", "band", "crosses", "computed", "override")},
        "churn_risk": {name: told_risk[name] for name in ("probability", "band", "horizon_days", "model")},
        "mrr": mrr,
        "revenue_at_risk": at_risk,
        **top,
        "reasons": reasons,
        "red_since": _when(scores.red_since),
        "as_of": instant_text(scores.as_of),
        "journey_version": scores.journey_version,
        "profile": scores.profile,
        "fold": scores.fold,
    }


def history_face(line: Published, language: Language) -> Document:
    """One line of what was published."""
    return {
        "at": instant_text(line.at),
        "version": line.version,
        "journey_version": line.journey_version,
        "profile": line.profile,
        "fold": line.fold,
        "band": line.band,
        "health": line.health,
        "churn_risk": line.risk,
        "model": line.model,
        "because": [_text(each, language) for each in line.reasons],
        "reasons": [{"code": each.code, "values": each.values} for each in line.reasons],
    }


def profile_face(profile: Profile, connected: frozenset[str], own: Saved | None = None) -> Document:
    """A profile whole, and which of its components the workspace has connected; of an `own` one what was said of it."""
    weights = {name: significant(weight) for name, weight in profile.weights.items()}
    said = {"own": own is not None, "since": _when(own.since) if own else None}
    given = msgspec.Raw(own.given) if own is not None and own.given is not None else None
    return described(profile) | {
        "weights": weights,
        "connected": [name for name in COMPONENTS if name in connected],
        "not_connected": [name for name in COMPONENTS if name not in connected],
        **said,
        "given": given,
    }


def notice_face(kept: Kept) -> Document:
    """What a source has ceased to send, and what that froze, in words of both languages."""
    freeze = kept.freeze
    ended = None if freeze.ended is None else instant(freeze.ended)
    return {
        "id": kept.id,
        "notice": "tracker_silent",
        "source": freeze.source,
        "kind": freeze.kind,
        "since": instant_text(instant(freeze.began)),
        "until": _when(ended),
        "standing": ended is None,
        "ended_because": kept.ended_because,
        "last_seen_at": instant_text(kept.last_seen_at),
        "expected_customers": kept.customers,
        "frozen": sorted(freeze.components),
        "recorded_at": instant_text(kept.recorded_at),
        "text": _notice(kept, ended).text,
    }


def _notice(kept: Kept, ended: datetime | None) -> Reason:
    freeze = kept.freeze
    values = {"source": freeze.source, "kind": freeze.kind, "since": minute(instant(freeze.began))}
    if ended is not None:
        return reason(f"tracker_{kept.ended_because}", **values, until=minute(ended))
    code = "tracker_silent" if freeze.components else "tracker_silent_alone"
    return reason(code, **values, customers=kept.customers)


def import_face(import_: Import) -> Document:
    """An import: while it runs, and what it brought once it is over, in words of both languages."""
    bands = {band: import_.bands.get(band, 0) for band in ("red", "yellow", "green", "unknown")}
    values = {"since": minute(import_.began_at), "customers": import_.customers, "untold": import_.untold, **bands}
    ended = import_.ended_at
    told = reason("import_running", **values) if ended is None else reason("import_over", **values, until=minute(ended))
    return {
        "id": import_.id,
        "notice": "import",
        "since": instant_text(import_.began_at),
        "until": _when(ended),
        "standing": ended is None,
        "customers": import_.customers,
        "accounts": import_.accounts,
        "bands": bands,
        "untold": import_.untold,
        "text": told.text,
    }


def said_face(said: Said, now: datetime) -> Document:
    """An override as it was said, and how it ended."""
    override = said.override
    over = override.until if said.ended_at is None and override.until <= now else None
    return {
        "score": override.score,
        "band": override.band,
        "author": override.author,
        "reason": override.reason,
        "since": instant_text(override.since),
        "until": instant_text(override.until),
        "set_by": said.set_by,
        "ended_at": _when(said.ended_at or over),
        "ended_by": said.ended_by,
    }
