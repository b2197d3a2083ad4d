"""The rules of an event, each with its code; the first that does not hold refuses it."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, NamedTuple, get_args

import msgspec

from jornada.events import MessageId, Rejection, Touchpoint, WorkspaceId, derived_id
from jornada.events.touchpoints import CallType, Role
from services.ingest.domain import time
from services.ingest.domain.faithful import Unfaithful
from services.ingest.domain.ids import BadId, identifier, message_id
from services.ingest.domain.reading import EVENT_BYTES, Read, Request
from services.ingest.domain.verdicts import Accept, Reject, Verdict

_CALLS = frozenset(get_args(CallType))
_canonical = msgspec.json.Encoder(order="deterministic")


class Arrival(NamedTuple):
    """Who sent a request, when it arrived, and the id drawn for it, from which the ids of its events derive."""

    workspace: WorkspaceId
    source: str
    role: Role
    received_at: datetime
    request_id: str


class _Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class _Whom(NamedTuple):
    user_id: str | None
    anonymous_id: str | None
    previous_id: str | None
    group_id: str | None


def judge(request: Request, arrival: Arrival) -> list[Verdict]:
    """One verdict for each event, in order."""
    own = [_sent_at(event) for event in request.events]
    top = time.sent(request.sent_at)
    ahead = time.ahead_by((at for at in (*own, top) if at is not None), arrival.received_at)
    return [
        _judged(event, index, request.type, sent_at or top, ahead, arrival)
        for index, (event, sent_at) in enumerate(zip(request.events, own, strict=True))
    ]


def payload_hash(event: dict[str, Any], type_: str) -> str:
    """What tells two payloads of one message id apart: 128 bits in hex; `sentAt` is no part of it."""
    payload = {**event, "type": type_}
    payload.pop("sentAt", None)
    return hashlib.blake2b(_canonical.encode(payload), digest_size=16).hexdigest()


def _sent_at(event: Read) -> datetime | None:
    value = event.value
    return None if isinstance(value, Unfaithful) or "sentAt" not in value else time.sent(value["sentAt"])


def _judged(
    event: Read, index: int, type_: CallType | None, sent_at: datetime | None, ahead: timedelta, arrival: Arrival
) -> Verdict:
    value = event.value
    try:
        if isinstance(value, Unfaithful):
            raise _Refused(value.code, value.message)
        return Accept(_touchpoint(value, event.raw, index, type_, sent_at, ahead, arrival))
    except _Refused as refused:
        return _rejection(event, index, type_, refused, arrival)


def _touchpoint(
    event: dict[str, Any],
    raw: bytes,
    index: int,
    default: CallType | None,
    sent_at: datetime | None,
    ahead: timedelta,
    arrival: Arrival,
) -> Touchpoint:
    type_ = _type(event, default)
    _objects(event)
    given = _good(message_id(event.get("messageId")))
    whom = _whom(event, type_)
    stated = event.get("originalTimestamp")
    happened = time.occurred(event.get("timestamp") if stated is None else stated, sent_at, arrival.received_at, ahead)
    if isinstance(happened, time.OutOfTime):
        raise _Refused(happened.code, happened.message)
    return Touchpoint(
        workspace=arrival.workspace,
        source=arrival.source,
        role=arrival.role,
        message_id=MessageId(given or f"{arrival.request_id}-{index}"),
        type=type_,
        received_at=arrival.received_at,
        occurred_at=happened.at,
        payload_hash=payload_hash(event, type_),
        event=_event_name(event, type_),
        user_id=whom.user_id,
        anonymous_id=whom.anonymous_id,
        previous_id=whom.previous_id,
        group_id=whom.group_id,
        sent_at=sent_at,
        clock_shift_ms=round(happened.shift / timedelta(milliseconds=1)),
        history=time.is_history(happened.at, arrival.received_at, arrival.role),
        body=msgspec.Raw(raw),
    )


def _type(event: dict[str, Any], default: CallType | None) -> CallType:
    given = event.get("type")
    if given is None and default is not None:
        return default
    if given is None:
        raise _Refused("type_missing", "An event of a batch names its `type`.")
    if not isinstance(given, str) or given not in _CALLS:
        raise _Refused("type_unknown", "The `type` is one of identify, track, page, screen, group, alias.")
    return given  # type: ignore[return-value]


def _objects(event: dict[str, Any]) -> None:
    for name in ("properties", "traits", "context"):
        if not isinstance(event.get(name, {}), dict | None):
            raise _Refused(f"{name}_not_object", f"`{name}` is an object, or absent.")


def _whom(event: dict[str, Any], type_: CallType) -> _Whom:
    user_id = _good(identifier("userId", event.get("userId")))
    anonymous_id = _good(identifier("anonymousId", event.get("anonymousId")))
    previous_id = _good(identifier("previousId", event.get("previousId")))
    group_id = _good(identifier("groupId", event.get("groupId")))
    context = event.get("context")
    account = _good(identifier("context.groupId", context.get("groupId"))) if context else None
    if type_ == "group" and group_id is None:
        raise _Refused("group_id_missing", "A `group` call names a `groupId`.")
    if type_ == "alias" and previous_id is None:
        raise _Refused("previous_id_missing", "An `alias` call names a `previousId`.")
    if user_id is None and anonymous_id is None and (type_ != "track" or account is None):
        raise _Refused("id_missing", "An event names a `userId` or an `anonymousId`.")
    return _Whom(user_id, anonymous_id, previous_id, group_id if type_ == "group" else account)


def _event_name(event: dict[str, Any], type_: CallType) -> str | None:
    if type_ != "track":
        return None
    name = event.get("event")
    if not isinstance(name, str) or not name.strip():
        raise _Refused("event_missing", "A `track` call names its `event`, a non-empty text.")
    return name


def _good(found: str | BadId | None) -> str | None:
    if isinstance(found, BadId):
        raise _Refused(found.code, found.message)
    return found


def _rejection(event: Read, index: int, default: CallType | None, refused: _Refused, arrival: Arrival) -> Reject:
    known = event.value.value if isinstance(event.value, Unfaithful) else event.value
    given = message_id(known.get("messageId"))
    name = known.get("event")
    type_ = known.get("type", default)
    rejection = Rejection(
        id=derived_id("rejection", arrival.request_id, index),
        workspace=arrival.workspace,
        source=arrival.source,
        received_at=arrival.received_at,
        code=refused.code,
        message=refused.message,
        message_id=given if isinstance(given, str) else None,
        event=name[:256] if isinstance(name, str) and name.isprintable() else None,
        payload=event.raw[:EVENT_BYTES].decode("utf-8", "ignore"),
    )
    return Reject(rejection, type_ if isinstance(type_, str) and type_ in _CALLS else None)
