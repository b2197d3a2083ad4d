"""What headers say of a body and of its sender: encodings, types, keys."""

import base64
import gzip
import zlib
from collections.abc import Iterator

from tests.ingest.corpus.cases import LAWFUL, Case, Expected, basic, batch_path, judged, refused, request, track

_PLAIN = ["", "identity", "IDENTITY", " identity "]
_GZIP = ["gzip", "GZIP", "x-gzip", " gzip ", "Gzip"]
_OTHER = [
    "br",
    "deflate",
    "zstd",
    "compress",
    "gzip, gzip",
    "gzip,identity",
    "gzip;q=1",
    "*",
    "utf-8",
    "é",
    "gzip\tx",
    "x" * 9_000,
]
_KINDS = [
    *("application/json", "application/json; charset=utf-8", "text/plain", "text/plain;charset=UTF-8", "*/*", ""),
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream", "x" * 8_000),
    *("application/json; charset=utf-16", "text/html", "application/xml", "é", ";", "application/cloudevents+json"),
]
_NO_KEY = [
    *(b"authorization: Basic", b"authorization: Basic ", b"authorization: Basic !!", b"authorization: Basic Og=="),
    *(b"authorization: Basic d2tf", b"authorization: Bearer", b"authorization: Bearer x", b"authorization: Digest x=y"),
    *(
        b"authorization: ",
        b"authorization: \xff\xfe",
        b"authorization: Bearer \xe9",
        b"authorization: Basic " + b"A" * 9_000,
    ),
    *(b"x-write-key: ", b"x-write-key: x", b"x-write-key: \xc3\xa9", b"x-write-key: " + b"k" * 30_000, b"writekey: x"),
    *(b"authorization: Basic " + base64.b64encode(b"\x00:"), b"authorization: Basic " + base64.b64encode(b"\xff\xfe:")),
    *(b"authorization: Bearer null", b"authorization: Bearer " + b"wk_" + b"0" * 32, b"cookie: key=x"),
]
_NO_KEY_IN_BODY = [
    b"null",
    b"7",
    b'""',
    b'"x"',
    b'"\\ud800"',
    b'"\\u0000"',
    b"[]",
    b"{}",
    b'"%b"' % (b"k" * 20_000),
    b"true",
]


def cases(key: str) -> Iterator[Case]:
    """Encodings first, then types, then keys."""
    for number, (encoding, body, expected) in enumerate(_encoded()):
        name = f"encoding-{number}"
        lines = (basic(key), b"content-encoding: %b" % encoding.encode("latin-1"))
        yield Case(name, (request(batch_path(name), body, *lines),), expected)
    for number, kind in enumerate(_KINDS):
        name = f"kind-{number}"
        lines = (basic(key), b"content-type: %b" % kind.encode("latin-1"))
        yield Case(name, (request("/v1/t", track(name), *lines),), judged(track(name)))
    yield from _keys(key)


def _encoded() -> Iterator[tuple[str, bytes, Expected]]:
    number = 0

    def event() -> bytes:
        nonlocal number
        number += 1
        return track(f"encoded-{number}")

    def batch(one: bytes) -> bytes:
        return b'{"batch":[%b]}' % one

    for encoding in _PLAIN:
        one = event()
        yield encoding, batch(one), judged(one)
    for encoding in _GZIP:
        one = event()
        yield encoding, gzip.compress(batch(one)), judged(one)
        yield encoding, batch(one), refused(400, "gzip_broken")
    for encoding in _OTHER:
        yield encoding, gzip.compress(batch(event())), refused(400, "encoding_unsupported")
    yield "identity", gzip.compress(batch(event())), refused(400, "not_utf8")
    whole = gzip.compress(batch(event()))
    for cut in (1, 2, 3, 9, 10, 11, len(whole) // 2, len(whole) - 8, len(whole) - 4, len(whole) - 1):
        yield "gzip", whole[:cut], refused(400, "gzip_broken")
    for at in (0, 1, 2, 12, len(whole) - 8, len(whole) - 5, len(whole) - 1):
        yield "gzip", whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], refused(400, "gzip_broken")
    for trailer in (b"x", b"\0", b"trailing", b"\x1f\x8b", b"\x1f\x8b\x08\x00" + b"\xff" * 20, b"\n"):
        yield "gzip", whole + trailer, refused(400, "gzip_broken")
    one = event()
    body = batch(one)
    yield "gzip", gzip.compress(body[:9]) + gzip.compress(body[9:]), judged(one)
    one = event()
    yield (
        "gzip",
        b"".join(gzip.compress(bytes([byte])) for byte in batch(one)[:30]) + gzip.compress(batch(one)[30:]),
        judged(one),
    )
    yield "gzip", gzip.compress(b"") * 24_000, refused(400)
    yield "gzip", gzip.compress(gzip.compress(batch(event()))), refused(400, "not_utf8")
    yield "gzip", b"", refused(400, "not_json")
    yield "gzip", gzip.compress(b""), refused(400, "not_json")
    yield "gzip", zlib.compress(batch(event())), refused(400, "gzip_broken")
    for size in (512_001, 5_000_000, 100_000_000):
        yield "gzip", gzip.compress(b" " * size, 1), refused(413, "body_too_large")
    one = event()
    yield "gzip", gzip.compress(batch(one).ljust(512_000)), judged(one)
    yield "gzip", gzip.compress(b"[" * 400_000), refused(400, "not_json")


def _keys(key: str) -> Iterator[Case]:
    good = key.encode()
    basics = [base64.b64encode(text).decode() for text in (good, good + b":", good + b":pass", good + b"::")]
    ways = [
        *(f"authorization: {kind} {text}" for kind in ("Basic", "basic", "BASIC") for text in basics[1:]),
        *(f"authorization: {kind} {key}" for kind in ("Bearer", "bearer", "BEARER")),
        *(f"{name}: {key}" for name in ("x-write-key", "X-Write-Key", "X-WRITE-KEY")),
        f"authorization:\t Bearer   {key}\t",
    ]
    for number, way in enumerate(ways):
        name = f"keyed-{number}"
        yield Case(name, (request("/v1/p/", track(name), way.encode()),), judged(track(name)))
    for number, line in enumerate(_NO_KEY):
        name = f"keyless-{number}"
        yield Case(
            name, (request(batch_path(name), b'{"batch":[%b]}' % track(name), line),), refused(401, "invalid_write_key")
        )
    for number, value in enumerate(_NO_KEY_IN_BODY):
        body = b'{"batch":[%b],"writeKey":%b}' % (track(f"keyless-body-{number}"), value)
        yield Case(f"keyless-body-{number}", (request("/v1/b", body),), refused(401, "invalid_write_key"))
        event = track(f"keyless-event-{number}", b'"writeKey":%b' % value)
        yield Case(f"keyless-event-{number}", (request("/v1/t", event),), refused(401, "invalid_write_key"))
    yield from _secret(key)
    for number, trace in enumerate(
        (b"", b"x", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"\xff" * 99, b"0" * 9_000)
    ):
        name = f"traced-{number}"
        yield Case(name, (request("/v1/t", track(name), basic(key), b"traceparent: " + trace),), judged(track(name)))
    yield Case("two-keys", (request("/v1/t", track("two-keys"), basic("x"), basic(key)),), LAWFUL)


def _secret(key: str) -> Iterator[Case]:
    """A key within its event, plainly or not, good event or bad: the event is judged, and the key is nowhere kept."""
    spelt = "".join(f"\\u{ord(character):04x}" for character in key).encode()
    plain = key.encode()
    bad = b'"p":"\\u0000"'
    members = [
        *(
            (b'"writeKey":"%b"' % plain, True),
            (b'"writeKey":"%b"' % spelt, True),
            (b'"writ\\u0065Key":"%b"' % plain, True),
        ),
        *((b'"writeKey":"%b",%b' % (plain, bad), False), (b'"writeKey":"%b",%b' % (spelt, bad), False)),
        *((b'%b,"writ\\u0065Key":"%b"' % (bad, spelt), False), (b'"writeKey":"x","writeKey":"%b"' % plain, False)),
        *((b'"writeKey":"%b","writeKey":"x"' % plain, False), (b'"writeKey":"%b","userId":"b"' % plain, False)),
        *(
            (b'"writeKey":"%b","p":' % plain + b"[" * 3_000 + b"]" * 3_000, False),
            (b'"writeKey":["%b"],%b' % (plain, bad), False),
        ),
        *(
            (b'"writeKey":"%b","timestamp":"x"' % plain, False),
            (b'"writeKey":"%b","p":"%b"' % (plain, b"x" * 33_000), False),
        ),
    ]
    for number, (member, good) in enumerate(members):
        for batch in (False, True):
            name = f"secret-{number}-{batch}"
            event = track(name, member)
            body = b'{"batch":[%b]}' % event if batch else event
            expected = judged(track(name)) if good else Expected(frozenset({200}))
            yield Case(name, (request("/v1/import" if batch else "/v1/track", body, basic(key)),), expected)
