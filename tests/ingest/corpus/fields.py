"""Every field with every type of JSON; every spelling of an id that names nobody, and those that only look like it."""

from collections.abc import Iterator, Mapping

from tests.ingest.corpus.cases import ACCEPTED, Case, Event, alone, among, basic, both, judged, request, track

_TYPES = {
    "null": b"null",
    "true": b"true",
    "false": b"false",
    "zero": b"0",
    "integer": b"7",
    "negative": b"-1",
    "decimal": b"1.5",
    "whole-decimal": b"7.0",
    "power": b"1e3",
    "empty-text": b'""',
    "blank-text": b'"  "',
    "text": b'"x"',
    "list": b"[]",
    "full-list": b'["x"]',
    "object": b"{}",
    "full-object": b'{"a":1}',
}
_ABSENT = {"null", "empty-text"}
_OBJECTS = {"null", "object", "full-object"}
_ID = {"zero": "id_illegal", "negative": "id_illegal", "blank-text": "id_illegal"} | dict.fromkeys(
    ("null", "empty-text", "integer", "text"), ACCEPTED
)
_FREE = ("sentAt", "integrations", "batch", "unknown", "success", "id", "__proto__", "constructor", "écran", "")
_EVERYBODY = [
    *(
        "null",
        "NULL",
        "Null",
        " null ",
        "undefined",
        "UNDEFINED",
        "\u00a0undefined",
        "anonymous",
        "Anonymous",
        "0",
        " 0 ",
    ),
    *(
        "-1",
        " -1",
        "NaN",
        "nan",
        "NAN",
        "true",
        "True",
        "TRUE",
        "[object Object]",
        "[OBJECT OBJECT]",
        " [object object] ",
    ),
    *("guest", "GUEST", "00", "0000000000", "-0", "0-0", "00-00", "0000-0000", "00000000-0000-0000-0000-000000000000"),
    *("--0--", "   ", "\u2003", "\u3000guest\u3000", "-00-", "0" * 256),
]
_NO_ID = ["a\nb", "a\tb", "\x7f", "a\x1b[31m", "a\x85", "\x9f", "a\rb", "\x01", "x" * 257, "😀" * 257, "guest\n"]
_SOMEBODY = [
    *(
        "1",
        "10",
        "-2",
        "01",
        "0x0",
        "0.0",
        "+0",
        "00a",
        "nulls",
        "false",
        "none",
        "guest1",
        "my guest",
        "undefined.",
        "-",
    ),
    *(
        "a/b",
        "a%2Fb",
        "%",
        "a b",
        "😀",
        "é",
        "x" * 256,
        "😀" * 256,
        "[object Array]",
        "../..",
        "a:b",
        "'; drop table--",
        "--",
    ),
    *("\u200b", "\u202e", "a\u2028b", "٠", "user_id:42", "<b>", "null\u200b", "\ufeff0", "9007199254740993", "1e5"),
]
_PLACES = ("userId", "anonymousId", "groupId", "previousId", "context.groupId")


def cases(key: str) -> Iterator[Case]:
    """The table of types, then ids, then what each type of call must name."""
    for field in ("userId", "anonymousId", "groupId", "previousId", "messageId", "event", "type", "timestamp"):
        yield from _typed(key, field)
    for field in ("originalTimestamp", "properties", "traits", "context", "writeKey", *_FREE):
        yield from _typed(key, field)
    for place in _PLACES:
        for code, texts in (("id_illegal", _EVERYBODY), ("id_invalid", _NO_ID), (ACCEPTED, _SOMEBODY)):
            for number, text in enumerate(texts):
                yield _one_form(key, f"{code}-{place}-{number}", _with_id(place, quoted(text)), code)
    for number, spelt in enumerate(
        (b'"\\u0030"', b'"nu\\u006cl"', b'"\\u0020guest"', b'"tr\\u0075e"', b"-0", b'"\\u002d1"')
    ):
        yield from both(key, f"spelt-{number}", _with_id("userId", spelt), "id_illegal")
    for number, (members, code) in enumerate(_CALLS):
        yield from both(key, f"call-{number}", _called(members), code)


def quoted(text: str) -> bytes:
    """A JSON text, control characters escaped and everything else as it is."""
    return b'"%b"' % "".join(f"\\u{ord(c):04x}" if c < " " or c in '"\\' else c for c in text).encode()


def _typed(key: str, field: str) -> Iterator[Case]:
    for kind, value in _TYPES.items():
        for form in ("single", "batch"):
            name = f"type-{field.encode().hex()[:24]}-{kind}-{form}"
            given = quoted(f"  {name}") if field == "messageId" and kind in {"text", "blank-text"} else value
            event = members_of(name, {field: given})
            kept = members_of(name, {}) if field == "writeKey" else event
            code = _code(field, kind, form)
            body = event if form == "single" else b'{"batch":[%b,%b]}' % (event, track(f"{name}-after"))
            outcome = kept if code == ACCEPTED else code
            results = (outcome,) if form == "single" else (outcome, track(f"{name}-after"))
            path = "/v1/track" if form == "single" else "/v1/import/"
            yield Case(name, (request(path, body, basic(key)),), judged(*results))


def members_of(name: str, given: dict[str, bytes]) -> bytes:
    """A good event in which some members are as given."""
    good = {"type": b'"track"', "event": b'"A"', "userId": quoted(f"u-{name}"), "messageId": quoted(name)}
    return b"{%b}" % b", ".join(b"%b : %b" % (quoted(member), value) for member, value in (good | given).items())


def _code(field: str, kind: str, form: str) -> str:  # noqa: PLR0911
    """The rules, once more."""
    match field:
        case "userId":
            return "id_missing" if kind in _ABSENT else _ID.get(kind, "id_invalid")
        case "anonymousId" | "groupId" | "previousId":
            return _ID.get(kind, "id_invalid")
        case "messageId":
            return ACCEPTED if kind in _ABSENT | {"text", "blank-text"} else "message_id_invalid"
        case "event":
            return ACCEPTED if kind == "text" else "event_missing"
        case "type" if kind == "null":
            return ACCEPTED if form == "single" else "type_missing"
        case "type":
            return "type_unknown"
        case "timestamp" | "originalTimestamp":
            return ACCEPTED if kind == "null" else "timestamp_invalid"
        case "properties" | "traits" | "context":
            return ACCEPTED if kind in _OBJECTS else f"{field}_not_object"
    return ACCEPTED


def _with_id(place: str, value: bytes) -> Event:
    outer, _, inner = place.partition(".")
    return lambda name: members_of(name, {outer: b'{"%b":%b}' % (inner.encode(), value) if inner else value})


def _one_form(key: str, name: str, event: Event, code: str) -> Case:
    return (alone if len(name) % 2 else among)(key, name, event, code)


def _called(members: Mapping[str, bytes | None]) -> Event:
    def event(name: str) -> bytes:
        good: dict[str, bytes | None] = {"userId": quoted(f"u-{name}"), "messageId": quoted(name)}
        return b"{%b}" % b",".join(
            b'"%b":%b' % (of.encode(), v) for of, v in {**good, **members}.items() if v is not None
        )

    return event


_CALLS: list[tuple[Mapping[str, bytes | None], str]] = [
    *(({"type": b'"%b"' % call}, ACCEPTED) for call in (b"identify", b"page", b"screen")),
    *(({"type": b'"%b"' % call, "userId": None}, "id_missing") for call in (b"identify", b"page", b"screen")),
    *(({"type": b'"%b"' % call, "userId": None, "anonymousId": b'"a"'}, ACCEPTED) for call in (b"identify", b"page")),
    *(
        ({"type": b'"%b"' % call}, "type_unknown")
        for call in (b"Track", b"TRACK", b" track", b"delete", b"batch", b"t")
    ),
    ({"type": b'"tr\\u0061ck"', "event": b'"A"'}, ACCEPTED),
    ({"type": b'"track"'}, "event_missing"),
    ({"type": b'"track"', "event": b'"\\u2003"'}, "event_missing"),
    ({"type": b'"track"', "event": b'"A"', "userId": None, "context": b'{"groupId":"acme"}'}, ACCEPTED),
    ({"type": b'"track"', "event": b'"A"', "userId": None, "groupId": b'"acme"'}, "id_missing"),
    ({"type": b'"page"', "userId": None, "context": b'{"groupId":"acme"}'}, "id_missing"),
    ({"type": b'"group"'}, "group_id_missing"),
    ({"type": b'"group"', "context": b'{"groupId":"acme"}'}, "group_id_missing"),
    ({"type": b'"group"', "groupId": b'"acme"'}, ACCEPTED),
    ({"type": b'"group"', "groupId": b"5"}, ACCEPTED),
    ({"type": b'"alias"'}, "previous_id_missing"),
    ({"type": b'"alias"', "previousId": b'"p"'}, ACCEPTED),
    ({"type": b'"alias"', "previousId": b'"p"', "userId": None}, "id_missing"),
]
