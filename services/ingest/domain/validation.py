"""The rules of an event, each with its code; the first that does not hold refuses it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, get_args

import msgspec
import xxhash

from jornada.events import MessageId, Rejection, Touchpoint, WorkspaceId, derived_id, encode, topic_key
from jornada.events.touchpoints import CallType, Role
from jornada.instants import instant
from services.ingest.domain import time
from services.ingest.domain.codes import Refusal
from services.ingest.domain.faithful import Unfaithful
from services.ingest.domain.ids import BadId, identifier, message_id
from services.ingest.domain.reading import EVENT_BYTES, Read, Request
from services.ingest.domain.verdicts import Accept, Reject, Verdict

_CALLS = frozenset(get_args(CallType))
_OBJECTS: tuple[tuple[str, Refusal], ...] = (
    ("properties", "properties_not_object"),
    ("traits", "traits_not_object"),
    ("context", "context_not_object"),
)
_MILLISECOND = timedelta(milliseconds=1)
_canonical = msgspec.json.Encoder(order="deterministic")


class Arrival:
    """Who sent a request, and `at` which microsecond since 1970 it arrived. The rest is made for who asks for it."""

    def __init__(self, workspace: WorkspaceId, source: str, role: Role, at: int, draw: Callable[[], str]) -> None:
        self.workspace, self.source, self.role = workspace, source, role
        self.at = at
        self._draw = draw

    @cached_property
    def received_at(self) -> datetime:
        """When it arrived."""
        return instant(self.at)

    @cached_property
    def request_id(self) -> str:
        """The id drawn for it, from which the ids of its events derive."""
        return self._draw()


class _Refused(Exception):
    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


def judge(request: Request, arrival: Arrival) -> list[Verdict]:
    """One verdict for each event, in order."""
    return judge_some(request, range(len(request.events)), arrival)[0]


def judge_some(request: Request, places: Sequence[int], arrival: Arrival) -> tuple[list[Verdict], timedelta]:
    """One verdict for each event, which stood at these places of what was sent; and how far the clock ran ahead."""
    own = [_sent_at(event, arrival.received_at) for event in request.events]
    top = time.sent(request.sent_at, arrival.received_at)
    ahead = time.ahead_by((at for at in (*own, top) if at is not None), arrival.received_at)
    verdicts = [
        _judged(event, place, request.type, sent_at or top, ahead, arrival)
        for event, place, sent_at in zip(request.events, places, own, strict=True)
    ]
    return verdicts, ahead


def too_much(touchpoint: Touchpoint, arrival: Arrival, index: int) -> Reject:
    """The refusal of a good event, the `index`th of its request, whose customer sends too many."""
    code: Refusal = "customer_rate_limited"
    rejection = Rejection(
        id=derived_id("rejection", arrival.request_id, index),
        workspace=arrival.workspace,
        source=arrival.source,
        received_at=arrival.received_at,
        code=code,
        message="This customer sends too many events at once; the event is kept and can be sent again later.",
        message_id=touchpoint.message_id,
        event=touchpoint.event,
        payload=bytes(touchpoint.body).decode(),
    )
    return Reject(rejection, touchpoint.type)


def payload_hash(event: dict[str, Any], type_: str) -> str:
    """What tells two payloads of one message id apart: 128 bits in hex.

    `sentAt` and `_metadata` are no part of it: browsers count their re-sends in the latter.
    """
    payload = event
    if "sentAt" in event or "_metadata" in event or event.get("type") != type_:
        payload = {**event, "type": type_}
        payload.pop("sentAt", None)
        payload.pop("_metadata", None)
    return xxhash.xxh3_128_hexdigest(_canonical.encode(payload))


def _sent_at(event: Read, received_at: datetime) -> datetime | None:
    value = event.value
    return None if isinstance(value, Unfaithful) or "sentAt" not in value else time.sent(value["sentAt"], received_at)


def _judged(
    event: Read, index: int, type_: CallType | None, sent_at: datetime | None, ahead: timedelta, arrival: Arrival
) -> Verdict:
    value = event.value
    try:
        if isinstance(value, Unfaithful):
            raise _Refused(value.code, value.message)
        touchpoint = _touchpoint(value, event.raw, index, type_, sent_at, ahead, arrival)
        about = touchpoint.user_id or touchpoint.anonymous_id or touchpoint.group_id or ""
        key = topic_key(arrival.workspace, about)
        return Accept(touchpoint.message_id, key, touchpoint.payload_hash, encode(touchpoint))
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
    for name, code in _OBJECTS:
        if event.get(name) is not None and type(event[name]) is not dict:
            raise _Refused(code, f"`{name}` is an object, or absent.")
    given = _good(message_id(event.get("messageId")))
    user_id, anonymous_id, previous_id, group_id = _whom(event, type_)
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
        event=_event_name(event) if type_ == "track" else None,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=previous_id,
        group_id=group_id,
        sent_at=sent_at,
        clock_shift_ms=round(happened.shift / _MILLISECOND) if happened.shift else 0,
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


def _whom(event: dict[str, Any], type_: CallType) -> tuple[str | None, str | None, str | None, str | None]:
    """User id, anonymous id, previous id and the account, each as text or None."""
    user_id = _id(event, "userId")
    anonymous_id = _id(event, "anonymousId")
    previous_id = _id(event, "previousId")
    group_id = _id(event, "groupId")
    account = _id(event.get("context") or {}, "groupId")
    if type_ == "group" and group_id is None:
        raise _Refused("group_id_missing", "A `group` call names a `groupId`.")
    if type_ == "alias" and previous_id is None:
        raise _Refused("previous_id_missing", "An `alias` call names a `previousId`.")
    if user_id is None and anonymous_id is None and (type_ != "track" or account is None):
        raise _Refused("id_missing", "An event names a `userId` or an `anonymousId`.")
    return user_id, anonymous_id, previous_id, group_id if type_ == "group" else account


def _id(of: dict[str, Any], name: str) -> str | None:
    value = of.get(name)
    return None if value is None else _good(identifier(name, value))


def _event_name(event: dict[str, Any]) -> str:
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
