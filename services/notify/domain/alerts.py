"""What an alert says, which subscriptions want it, and when it is too old to be told."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from jornada.events import Crossing, Identifier, Reason, SubjectId, SubjectType, encode

ALERT_CREATED = "alert.created"
ALERT_TEST = "alert.test"
MOST_BYTES = 19_000
"""The most bytes of an alert; with its envelope a webhook's body stays under 20 KB."""


class AlertSubject(msgspec.Struct, frozen=True):
    """Whom an alert is about."""

    type: SubjectType
    id: SubjectId
    identifiers: list[Identifier]


class Alert(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A crossing told to somebody: the same in the list, on the stream and in a webhook. `id` is the crossing's."""

    id: UUID
    at: datetime
    subject: AlertSubject
    score: str
    from_: str
    to: str
    value: float | None
    because: list[Reason]
    stale: bool


class When(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which alerts are wanted; what is absent does not matter, so an empty one wants every crossing into red."""

    score: str | None = None
    to: str | None = None
    subject: SubjectType | None = None
    stage: list[str] | None = None


def alerts(crossing: Crossing) -> bool:
    """Whether the crossing is one that raises an alert: health, into red."""
    return crossing.score == "health" and crossing.to == "red"


def alert_of(crossing: Crossing, *, freshness: timedelta, now: datetime) -> Alert:
    """The alert of a crossing, at most MOST_BYTES long: reasons, then identifiers, are left off from the end."""
    identifiers, because = list(crossing.identifiers), list(crossing.because)
    while True:
        alert = Alert(
            id=crossing.id,
            at=crossing.at,
            subject=AlertSubject(crossing.subject_type, crossing.subject_id, identifiers),
            score=crossing.score,
            from_=crossing.from_,
            to=crossing.to,
            value=crossing.value,
            because=because,
            stale=now - crossing.recorded_at > freshness,
        )
        if len(encode(alert)) <= MOST_BYTES or not (because or identifiers):
            return alert
        if because:
            because = because[:-1]
        else:
            identifiers = identifiers[:-1]


def wanted(when: When, alert: Alert) -> bool:
    """Whether the filter lets the alert through, the stage aside: that may not be known yet."""
    return (
        when.score in (None, alert.score)
        and (when.to or "red") == alert.to
        and when.subject in (None, alert.subject.type)
    )


def stage_wanted(when: When, stage: str | None) -> bool:
    """Whether the filter lets a subject at this stage through (None: the stage is not known)."""
    return when.stage is None or stage in when.stage


def webhook_body(type_: str, alert: Alert, at: datetime) -> bytes:
    """The bytes of a webhook about an alert, the same in every attempt."""
    return encode({"type": type_, "timestamp": at, "data": alert})


def trial_alert(id_: UUID, subject: SubjectId, now: datetime) -> Alert:
    """An alert about nobody, to try an endpoint with."""
    reason = Reason(code="test", text={"en": "This is a test.", "pt-BR": "Este é um teste."})
    return Alert(
        id=id_,
        at=now,
        subject=AlertSubject("customer", subject, [Identifier("user_id", "test")]),
        score="health",
        from_="yellow",
        to="red",
        value=0.0,
        because=[reason],
        stale=False,
    )
