"""Bytes to a request: inflated within bounds, strict UTF-8, RFC 8259, one event or several, each as it was sent."""

import zlib
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from jornada.events.touchpoints import CallType
from services.ingest.domain.codes import Unread
from services.ingest.domain.faithful import Unfaithful, faithful, oversize
from services.ingest.domain.outline import NotJson, Outline, Part, outline

BODY_BYTES = 512_000
EVENT_BYTES = 32_768
EVENTS = 2_500
_SPREAD_BYTES = 8_388_608
_GZIP = 31


class Unreadable(Exception):
    """The body cannot be read as a request: an HTTP status, a code and a message."""

    def __init__(self, status: int, code: Unread, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Read(msgspec.Struct, frozen=True, gc=False):
    """One event as it is to be stored, and its value; or why it would not come back unchanged."""

    raw: bytes
    value: dict[str, Any] | Unfaithful


class Request(NamedTuple):
    """A body, read. `type` is what the path says of an event that does not say it itself."""

    events: list[Read]
    type: CallType | None
    sent_at: object
    write_keys: frozenset[str]

    @property
    def write_key(self) -> str | None:
        """The key that the body names, at its top or in its events. Raises Unreadable where it names several."""
        return only(self.write_keys)


def only(write_keys: Collection[str]) -> str | None:
    """The one key among these, or none. Raises Unreadable where they are several."""
    if len(write_keys) > 1:
        raise Unreadable(400, "write_keys_differ", "The events of one request name one `writeKey`.")
    return next(iter(write_keys), None)


def inflated(body: bytes, encoding: str) -> bytes:
    """The body without its `Content-Encoding`, never more than BODY_BYTES. Raises Unreadable."""
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _gunzipped(body)
        case _:
            raise Unreadable(400, "encoding_unsupported", "A body is sent plain or with `Content-Encoding: gzip`.")
    if len(plain) > BODY_BYTES:
        raise too_large()
    return plain


def too_large() -> Unreadable:
    """413."""
    return Unreadable(413, "body_too_large", f"A body may have at most {BODY_BYTES} bytes, inflated.")


def read_single(body: bytes, type_: CallType) -> Request:
    """One event, of the type that the path names. Raises Unreadable."""
    event = event_of(one(body))
    return keyless([event], type_, _known(event).get("sentAt"))


def read_batch(body: bytes) -> Request:
    """The events of a `batch`, each with what the top level says for all of them. Raises Unreadable."""
    _decoded(body)
    envelope, raws = _split(body)
    shared = {name: envelope[name] for name in ("context", "integrations") if envelope.get(name, b"null") != b"null"}
    if sum(map(len, shared.values())) * len(raws) > _SPREAD_BYTES:
        raise Unreadable(413, "batch_too_large", "The top level's context is too large for so many events.")
    top = {name: _top(name, raw) for name, raw in shared.items()}
    events = [_spread(event_of(raw), shared, top) for raw in raws]
    return keyless(events, None, _scalar(envelope.get("sentAt")), _text(_scalar(envelope.get("writeKey"))))


def read_events(body: bytes) -> Request:
    """One event that names its type, or an array of them, as other collectors forward them. Raises Unreadable."""
    raws = many(body) if body.lstrip()[:1] == b"[" else [one(body)]
    return keyless([event_of(raw) for raw in raws])


def value(body: bytes) -> bytes:
    """The JSON value that a body is, of whatever kind. Raises Unreadable."""
    _decoded(body)
    try:
        _any.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        _outlined(body)
    return body.strip()


def one(body: bytes) -> bytes:
    """The object that a body is. Raises Unreadable."""
    found = value(body)
    if not found.startswith(b"{"):
        raise Unreadable(400, "not_an_object", "The body is not a JSON object.")
    return found


def many(body: bytes) -> list[bytes]:
    """The items of the array that a body is. Raises Unreadable."""
    found = value(body)
    if not found.startswith(b"["):
        raise Unreadable(400, "not_an_array", "The body is not a JSON array.")
    return _items(found)


def _gunzipped(body: bytes) -> bytes:
    plain = b""
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            plain += member.decompress(body, BODY_BYTES + 1 - len(plain))
        except zlib.error:
            raise Unreadable(400, "gzip_broken", "The body says that it is gzip and is not.") from None
        if len(plain) > BODY_BYTES:
            raise too_large()
        if not member.eof:
            raise Unreadable(400, "gzip_broken", "The gzip body ends too early.")
        body = member.unused_data
    return plain


def _decoded(body: bytes) -> None:
    try:
        body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Unreadable(400, "not_utf8", "The body is not UTF-8.") from None


def _outlined(body: bytes) -> Outline:
    try:
        return outline(body)
    except NotJson:
        raise Unreadable(400, "not_json", "The body is not JSON as RFC 8259 has it.") from None


def _object(body: bytes) -> Outline:
    found = _outlined(body)
    if found.kind != "{":
        raise Unreadable(400, "not_an_object", "The body is not a JSON object.")
    return found


_any = msgspec.json.Decoder(msgspec.Raw)
_check = msgspec.json.Decoder(dict[str, msgspec.Raw])
_events = msgspec.json.Decoder(list[msgspec.Raw])


def _split(body: bytes) -> tuple[dict[str, bytes], list[bytes]]:
    """The top level's members and the raw events."""
    envelope = _envelope(body)
    batch = envelope.get("batch", b"")
    if not batch.startswith(b"["):
        raise Unreadable(400, "batch_missing", "The body has no `batch` array.")
    return envelope, _items(batch)


def _items(array: bytes) -> list[bytes]:
    try:
        items = [bytes(raw) for raw in _events.decode(array)]
    except (msgspec.MsgspecError, RecursionError):
        items = [part.value for part in _outlined(array).parts]
    if len(items) > EVENTS:
        raise Unreadable(413, "too_many_events", f"A batch may have at most {EVENTS} events.")
    return items


def _envelope(body: bytes) -> dict[str, bytes]:
    """The top level's members, quickly where they, written again, are the body: then none was there twice."""
    try:
        members = {name: bytes(raw) for name, raw in _check.decode(body).items()}
    except (msgspec.MsgspecError, RecursionError):
        return _members(_object(body).parts)
    named = [(name.encode("utf-8", "replace"), raw) for name, raw in members.items()]
    if body.startswith(b'{"') and body in (
        b"{%b}" % b",".join(b'"%b":%b' % member for member in named),
        b"{%b}" % b", ".join(b'"%b": %b' % member for member in named),
    ):
        return members
    return _members(_object(body).parts)


def _members(parts: list[Part]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for part in parts:
        key = _scalar(part.key)
        name = key if isinstance(key, str) else ""
        if name in members and name in {"batch", "context", "integrations", "sentAt", "writeKey"}:
            raise Unreadable(400, "duplicate_key", f"The top level has `{name}` twice.")
        members[name] = part.value
    return members


_plain_text = msgspec.json.Decoder(str | None)


def _scalar(raw: bytes | None) -> object:
    """A text's value; None for anything else."""
    try:
        return _plain_text.decode(raw or b"null")
    except (msgspec.MsgspecError, RecursionError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def event_of(raw: bytes) -> Read:
    """An event as it was sent."""
    return Read(raw, oversize(raw, EVENT_BYTES) if len(raw) > EVENT_BYTES else faithful(raw))


def _known(event: Read) -> dict[str, Any]:
    return event.value.value if isinstance(event.value, Unfaithful) else event.value


def _top(name: str, raw: bytes) -> dict[str, Any] | Unfaithful:
    """What the top level says for all events, by its name; what is wrong with it is wrong with each of them."""
    found = faithful(b'{"%b":%b}' % (name.encode(), raw))
    if name == "context" and not isinstance(found, Unfaithful) and not isinstance(found[name], dict):
        return Unfaithful("context_not_object", "`context` is an object, or absent.", {})
    return found


def _spread(event: Read, shared: dict[str, bytes], top: dict[str, dict[str, Any] | Unfaithful]) -> Read:
    """The event with the top level's context and integrations; where both say something, the event's own holds."""
    for name, raw in shared.items():
        value, given = event.value, top[name]
        if isinstance(value, Unfaithful):
            return event
        if isinstance(given, Unfaithful):
            return Read(event.raw, given._replace(value=value))
        own, theirs = value.get(name), given[name]
        if own is None:
            event = _put(event, value, name, raw)
        elif isinstance(own, dict) and isinstance(theirs, dict):
            members = _check.decode(raw) | _check.decode(_check.decode(event.raw)[name])
            event = _put(event, value, name, msgspec.json.encode(members))
    return event


def _put(event: Read, value: dict[str, Any], name: str, raw: bytes) -> Read:
    members: dict[str, object] = dict(_check.decode(event.raw))
    members[name] = msgspec.Raw(raw)
    return event_of(msgspec.json.encode(members))


def keyless(
    events: list[Read], type_: CallType | None = None, sent_at: object = None, write_key: str | None = None
) -> Request:
    """The request, its key taken out of the events: a key is stored nowhere."""
    bare, keys = [], {write_key}
    for event in events:
        known = _known(event)
        if "writeKey" in known:
            keys.add(_text(known["writeKey"]))
        bare.append(_bare(event) if "writeKey" in known else event)
    return Request(bare, type_, sent_at, frozenset(key for key in keys if key))


def _bare(event: Read) -> Read:
    if isinstance(event.value, Unfaithful):
        kept = [each for each in outline(event.raw).parts if _scalar(each.key) != "writeKey"]
        return Read(b"{%b}" % b",".join(b"%b:%b" % (each.key or b"", each.value) for each in kept), event.value)
    members = {name: raw for name, raw in _check.decode(event.raw).items() if name != "writeKey"}
    return Read(msgspec.json.encode(members), {name: each for name, each in event.value.items() if name != "writeKey"})
