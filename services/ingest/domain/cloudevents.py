"""CloudEvents 1.0 over HTTP as events of ours: a translation and no more, so that all are judged alike."""

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from services.ingest.domain.faithful import Unfaithful, faithful, oversize
from services.ingest.domain.reading import (
    EVENT_BYTES,
    Read,
    Request,
    Unreadable,
    keyless,
    many,
    one,
    value,
)

_PREFIX = b"ce-"
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_JSON_TYPE = re.compile(r"[^/;\s]+/(?:[^/;\s]+\+)?json", re.IGNORECASE)
_OURS = {"id": "messageId", "type": "event", "time": "timestamp", "data": "properties", "writeKey": "writeKey"}
"""Where an attribute stands in an event of ours; the others stand in `context.cloudevents`."""
_WHOM = {"user_id": "userId", "anonymous_id": "anonymousId", "account": "groupId"}
"""Which of our ids a `subject` is, by its type; without one it is a user's."""
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_cloudevents(body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Request:
    """The events of a message in binary, structured or batched mode; header names are in lower case.

    Raises Unreadable.
    """
    headers = list(headers)
    content_type = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/cloudevents+json":
        raws = [one(body)]
    elif media_type == "application/cloudevents-batch+json":
        raws = many(body)
    elif media_type.startswith("application/cloudevents"):
        raise Unreadable(400, "format_unsupported", "Of the formats of CloudEvents only JSON is read.")
    else:
        raws = [_structured(body, headers, content_type)]
    return keyless([_translated(raw) for raw in raws])


def _structured(body: bytes, headers: list[tuple[bytes, bytes]], content_type: str) -> bytes:
    """A message of binary mode in the JSON format; what was there twice is there twice."""
    members = [(name.removeprefix(_PREFIX), _unescaped(value)) for name, value in headers if name.startswith(_PREFIX)]
    if not members:
        raise Unreadable(400, "cloudevent_missing", "A CloudEvent comes with its media type, or with `ce-` headers.")
    parts = [(name.decode("latin-1"), msgspec.json.encode(text)) for name, text in members]
    if content_type:
        parts.append(("datacontenttype", msgspec.json.encode(content_type)))
    if body:
        parts.append(_data(body, content_type))
    return b"{%b}" % b",".join(b"%b:%b" % (msgspec.json.encode(name), value) for name, value in parts)


def _unescaped(value: bytes) -> str:
    quoted = _QUOTED.fullmatch(value)
    plain = re.sub(rb"\\(.)", rb"\1", quoted[1]) if quoted else value
    try:
        return unquote_to_bytes(plain).decode()
    except UnicodeDecodeError:
        raise Unreadable(400, "not_utf8", "A `ce-` header is not percent-encoded UTF-8.") from None


def _data(body: bytes, content_type: str) -> tuple[str, bytes]:
    if not content_type or _is_json(content_type):
        return "data", value(body)
    try:
        return "data", msgspec.json.encode(body.decode())
    except UnicodeDecodeError:
        return "data_base64", msgspec.json.encode(base64.b64encode(body).decode())


def _translated(raw: bytes) -> Read:
    """A CloudEvent in the JSON format as an event of ours, or why it is none; so far as it was read."""
    found = oversize(raw, EVENT_BYTES) if len(raw) > EVENT_BYTES else _refused(faithful(raw))
    if isinstance(found, Unfaithful):
        return Read(raw, found._replace(value=_known(found.value)))
    event = _event(found, _members.decode(raw))
    return Read(event, faithful(event))


def _known(event: dict[str, Any]) -> dict[str, Any]:
    return {"type": "track", **{ours: event[name] for name, ours in _OURS.items() if name in event}}


def _refused(event: dict[str, Any] | Unfaithful) -> dict[str, Any] | Unfaithful:
    """The CloudEvent, or what makes it none that can be translated."""
    if isinstance(event, Unfaithful):
        return event
    if event.get("specversion") != "1.0":
        return Unfaithful("specversion_unsupported", "A CloudEvent names its `specversion`, the text 1.0.", event)
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            return Unfaithful("attribute_missing", f"A CloudEvent names its `{name}`, a non-empty text.", event)
    stated = event.get("datacontenttype")
    opaque = event.get("data") is not None and isinstance(stated, str) and not _is_json(stated)
    if opaque or event.get("data_base64") is not None:
        return Unfaithful("data_not_json", "The `data` of a CloudEvent is JSON by its `datacontenttype`.", event)
    if str(event.get("subject")).startswith("email:"):
        return Unfaithful("subject_unsupported", f"A `subject` is of a type among {', '.join(_WHOM)}.", event)
    return event


def _is_json(content_type: str) -> bool:
    return _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip()) is not None


def _event(given: dict[str, Any], members: dict[str, msgspec.Raw]) -> bytes:
    """Our event, each value as it was written."""
    event: dict[str, object] = {"type": "track"}
    event |= {ours: members[name] for name, ours in _OURS.items() if name in members}
    event.setdefault("properties", {})
    context: dict[str, object] = {"cloudevents": {name: raw for name, raw in members.items() if name not in _OURS}}
    type_, colon, id_ = given["subject"].partition(":") if isinstance(given.get("subject"), str) else ("", "", "")
    if colon and type_ in _WHOM:
        (context if type_ == "account" else event)[_WHOM[type_]] = id_
    elif "subject" in members:
        event["userId"] = members["subject"]
    return msgspec.json.encode(event | {"context": context})
