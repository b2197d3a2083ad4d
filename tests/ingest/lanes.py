"""One body on both lanes: what either says of it, and the bodies of SDKs, whole and damaged."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from jornada.events.touchpoints import CallType, Role
from jornada.instants import micros
from services.ingest.domain import express
from services.ingest.domain.express import Express, Form, Sent, sent
from services.ingest.domain.reading import Unreadable
from services.ingest.domain.validation import Arrival
from services.ingest.domain.verdicts import Accept, AllAccepted, Verdict
from tests.ingest.makes import NOW, WORKSPACE

ROLES: tuple[Role, ...] = ("product", "import", "billing", "support", "messaging")
HEADERS = (("traceparent", b"00-0191f7a26f1c7a2e9c55000000000001-0191f7a26f1c7a2e-01"),)
SOURCES = ("app", 'a "source" of é')


class Said(NamedTuple):
    """What a lane says of a body."""

    events: int
    write_key: str | tuple[int, str] | None
    verdicts: list[Verdict]


class Lanes(NamedTuple):
    """What both said, and how many events the express lane took; none where it left the whole body."""

    express: Said | tuple[int, str]
    rules: Said | tuple[int, str]
    taken: int


def both(body: bytes, form: Form, type_: CallType | None = None, arrival: Arrival | None = None) -> Lanes:
    """The body on both lanes."""
    by = arrival or arrived("product", "app")
    found = _read(body, form, type_)
    _packs_what_it_takes(found, by)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(express, "IS_OPEN", False)
        rules = _said(_read(body, form, type_), by)
    return Lanes(_said(found, by), rules, _taken(found, by))


def _packs_what_it_takes(found: Sent | tuple[int, str], arrival: Arrival) -> None:
    """Where every event was taken, their packed records are those of the verdicts, and where not there are none."""
    if not isinstance(found, Express):
        return
    verdicts, packed = found.taken(arrival), found.packed(arrival, HEADERS)
    if verdicts is None or None in verdicts:
        assert packed is None
        return
    assert [packed[place] for place in range(len(packed))] == [(each.key, each.record) for each in verdicts]  # type: ignore[union-attr]
    assert packed.message_ids() == [each.message_id for each in verdicts]  # type: ignore[union-attr]
    assert AllAccepted(packed).json() == msgspec.json.encode([*AllAccepted(packed)])
    assert packed.ids("é/").hashes() == {f"é/{each.message_id}": each.payload_hash for each in verdicts}  # type: ignore[union-attr]


def arrived(role: Role, source: str) -> Arrival:
    """The arrival of a request at NOW."""
    return Arrival(WORKSPACE, source, role, micros(NOW), lambda: "0191f7a2-6f1c-7a2e-9c55-000000000001")


def _read(body: bytes, form: Form, type_: CallType | None) -> Sent | tuple[int, str]:
    try:
        return sent(body, form, type_)
    except Unreadable as refused:
        return refused.status, refused.code


def _said(found: Sent | tuple[int, str], arrival: Arrival) -> Said | tuple[int, str]:
    if isinstance(found, tuple):
        return found
    try:
        write_key: str | tuple[int, str] | None = found.write_key
    except Unreadable as refused:
        write_key = refused.status, refused.code
    return Said(found.count, write_key, found.verdicts(arrival))


def _taken(found: Sent | tuple[int, str], arrival: Arrival) -> int:
    if not isinstance(found, Express):
        return 0
    return sum(type(each) is Accept for each in found.taken(arrival) or ())


class Body(NamedTuple):
    """A body, and the path it is sent to."""

    sdk: str
    text: bytes
    form: Form
    type_: CallType | None = None


def sdk_bodies() -> list[Body]:
    """Bodies as SDKs write them, of every call."""
    return [*_python(), *_node(), *_browser(), *_rudder()]


def damaged(bodies: list[Body], seed: int, count: int) -> Iterator[Body]:
    """Bodies with a few bytes changed, cut out, doubled or put in, some of them twice over."""
    random = Random(seed)
    for _ in range(count):
        body = random.choice(bodies)
        text = body.text
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            text = _damaged(text, random)
        yield body._replace(text=text)


_PIECES = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\x00", b"\x1f", b"\x7f", b"\xc3", b"\xff"),
    *(b"0", b"1", b"9", b"-", b".", b"e5", b"00", b"E", b"+", b"Z", b"z", b"t", b"+03:00", b"2027", b".123456789"),
    *(b"\\u0000", b"\\ud800", b"\\udc00", b"\\u0041", b"\\u00e9", b"\\ud83d\\ude00", b"\\/", b"\\n", b"\\x"),
    *(
        b"\\u001f",
        b'\\"',
        b"\\\\",
        "é".encode(),
        "\u2003".encode(),
        "\U0001f680".encode(),
        b"\xed\xa0\x80",
        b"\xc0\xaf",
    ),
]
_VALUES = [
    *(
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b'" "',
        b"7",
        b"0",
        b"-0",
        b"-1",
        b"1.0",
        b"1.50",
        b"-0.0",
        b"0.0001",
        b"1e5",
    ),
    *(
        b"9007199254740991",
        b"9007199254740992",
        b"0.30000000000000004",
        b"0.1000000000000000055",
        b"123456789.123456789",
    ),
    *(
        b'"null"',
        b'"GUEST"',
        b'"00-0"',
        b'"\\u0030"',
        b'"x"',
        b'"track"',
        b'"group"',
        b'"alias"',
        b'"page"',
        b'"\\u2003"',
    ),
    *(b'{"a":1,"a":2}', b'{"b":1,"a":{"d":[],"c":{}}}', b'{"groupId":"g"}', b'{"groupId":0}', b'{"groupId":" 7"}'),
    *(
        b'"2026-03-02T12:00:00.000001Z"',
        b'"2026-03-02T12:00:00Z"',
        b'"2026-03-01T12:01:00Z"',
        b'"1999-12-31T23:59:59Z"',
    ),
    *(
        b'"2026-03-01T12:01:00.000001Z"',
        b'"2026-02-28T11:59:59.999999Z"',
        b'"2026-02-26T12:00:00+00:00"',
        b'"x"',
        b'"wk_b"',
    ),
]
_KEYS = [
    *(
        b'"userId"',
        b'"anonymousId"',
        b'"previousId"',
        b'"groupId"',
        b'"messageId"',
        b'"type"',
        b'"event"',
        b'"context"',
    ),
    *(b'"timestamp"', b'"originalTimestamp"', b'"sentAt"', b'"writeKey"', b'"_metadata"', b'"properties"', b'"traits"'),
    *(b'"integrations"', b'"a"', b'"\\u0061"', b'"\\u0022"', b'"Z"', b'""', b'"batch"', '"é"'.encode()),
]
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null')


def _damaged(text: bytes, random: Random) -> bytes:
    at = random.randrange(len(text) + 1)
    to = min(len(text), at + random.choice((1, 1, 2, 5, 20)))
    match random.randrange(10):
        case 0:
            return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
        case 1:
            return text[:at] + text[to:]
        case 2:
            return text[:to] + text[at:]
        case 3:
            return text[:at] + random.choice(_PIECES) + text[at:]
        case 4 | 5 | 6:
            at = random.choice([place + 1 for place, byte in enumerate(text) if byte in b"{"] or [0])
            return text[:at] + random.choice(_KEYS) + b":" + random.choice(_VALUES) + b"," + text[at:]
        case _:
            tokens = list(_TOKEN.finditer(text))
            if not tokens:
                return text
            token = random.choice(tokens)
            inside = random.choice(_PIECES) if random.randrange(2) else b"x" * random.choice((1, 60, 101, 257))
            other = random.choice((random.choice(_VALUES), token[0][:1] + inside + token[0][1:]))
            return text[: token.start()] + other + text[token.end() :]


_HARD: dict[str, Any] = {
    "label": 'Ana São 🚀 "quoted" \\ <b>&amp;</b> \u2028\n',
    "price": 1.1,
    "paid": True,
    "missing": None,
    "rows": 9_007_199_254_740_991,
    "drift": 0.30000000000000004,
    "nested": {"list": [1, "two", {"three": [False]}], "empty": {}, "ação": -7},
}


def _calls(anonymous: bool = True) -> list[dict[str, Any]]:
    """One of each call, as all SDKs name their members."""
    who: dict[str, Any] = {"userId": "user-42", **({"anonymousId": "0191f7a2-6f1c"} if anonymous else {})}
    return [
        {"type": "track", "event": "Relatório Exportado", "properties": _HARD, **who},
        {"type": "identify", "traits": _HARD, **who},
        {"type": "page", "name": "Home", "category": None, "properties": {"path": "/", "url": "https://x/?a=1"}, **who},
        {"type": "screen", "name": "Main", "properties": {}, **who},
        {"type": "group", "groupId": "acme", "traits": {"plan": "pro"}, **who},
        {"type": "alias", "previousId": "0191f7a2-6f1c", "userId": "user-42"},
    ]


def _python() -> Iterator[Body]:
    """segment-analytics-python: spaced, escaped, the key at the top."""
    library = {"library": {"name": "analytics-python", "version": "2.4.0"}}
    events = [
        {
            "integrations": {},
            "timestamp": "2026-02-28T12:00:00.123456+00:00",
            "context": library,
            **call,
            "messageId": f"m{n}",
        }
        for n, call in enumerate(_calls())
    ]
    top = {"sentAt": "2026-03-01T11:59:59.500000+00:00", "writeKey": "wk_test"}
    for batch in ([each] for each in events):
        yield Body("python", json.dumps({"batch": batch, **top}).encode(), "batch")
    yield Body("python", json.dumps({"batch": events, **top}).encode(), "batch")


def _node() -> Iterator[Body]:
    """@segment/analytics-node: packed, a `_metadata` in each event."""
    own = {
        "integrations": {},
        "context": {"library": {"name": "@segment/analytics-node", "version": "2.3.0"}},
        "timestamp": "2026-02-28T12:00:00.123Z",
        "_metadata": {"nodeVersion": "20.1.0", "jsRuntime": "node"},
    }
    events = [{**call, **own, "messageId": f"node-next-{n}-abc"} for n, call in enumerate(_calls())]
    yield Body("node", _packed({"batch": events, "writeKey": "wk_test", "sentAt": "2026-03-01T11:59:59.500Z"}), "batch")


def _browser() -> Iterator[Body]:
    """@segment/analytics-next: one event a request, its key and `sentAt` within; or batched."""
    context = {
        "page": {"path": "/", "referrer": "", "search": "?q=1", "title": "Início", "url": "https://x/"},
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
        "userAgentData": {"brands": [{"brand": "Chromium", "version": "140"}], "mobile": False, "platform": "Linux"},
        "locale": "pt-BR",
        "library": {"name": "analytics.js", "version": "npm:next-1.81.0"},
        "timezone": "America/Sao_Paulo",
    }
    events: list[dict[str, Any]] = []
    for n, call in enumerate(_calls()):
        event = {
            "timestamp": "2026-03-01T11:59:58.001Z",
            "integrations": {"Segment.io": True},
            **call,
            "context": context,
            "messageId": f"ajs-next-1772366398001-{n}",
            "writeKey": "wk_test",
            "sentAt": "2026-03-01T11:59:59.500Z",
            "_metadata": {"bundled": [], "unbundled": [], "bundledIds": [], "retryCount": 1},
        }
        events.append(event)
        yield Body("browser", _packed(event), "single", call["type"])
        yield Body("browser", _packed({**event, "type": ...}), "single", call["type"])
    yield Body(
        "browser", _packed({"writeKey": "wk_test", "batch": events, "sentAt": "2026-03-01T11:59:59.500Z"}), "batch"
    )


def _rudder() -> Iterator[Body]:
    """rudder-sdk-python's batch, and the event that its service forwards."""
    events = [
        {**call, "channel": "server", "originalTimestamp": "2026-02-01T09:00:00.123456-03:00", "messageId": f"r{n}"}
        for n, call in enumerate(_calls(anonymous=False))
    ]
    yield Body("rudder", json.dumps({"batch": events, "sentAt": "2026-03-01T11:59:59.500000+00:00"}).encode(), "batch")
    yield Body("rudder", _packed(events), "events")
    yield Body("rudder", _packed(events[0]), "events")


def _packed(value: Any) -> bytes:
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if each is not ...}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
