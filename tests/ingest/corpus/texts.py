"""Characters: encodings other than UTF-8, half surrogates, U+0000, and the same key twice in another spelling."""

from collections.abc import Iterator
from functools import partial

from tests.ingest.corpus.cases import ACCEPTED, Case, both, holding, refused, track, whole

NOT_UTF8 = [
    *(
        b"\x80",
        b"\xbf",
        b"\xff",
        b"\xfe",
        b"\xc0\x80",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xc3",
        b"\xc3(",
        b"\xe2\x82",
        b"\xe2(\xa1",
    ),
    *(
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf0\x80\x80\x80",
    ),
    *(
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
    ),
    *(
        b"\xf0\x9f\x98",
        b"a\xf0\x9f\x98b",
        b"caf\xe9",
        b"\x93a\x94",
        b"\x82\xa0",
        b"\xef\xbf",
        b"\xc3\xa9\xc3",
        b"\xfe\xff",
    ),
]
OTHER_ENCODINGS = [
    "utf-16-le",
    "utf-16-be",
    "utf-16",
    "utf-32-le",
    "utf-32-be",
    "utf-32",
    "utf-8-sig",
    "cp037",
]
SURROGATES = [
    *(b"\\ud800", b"\\udbff", b"\\udc00", b"\\udfff", b"\\uD83D", b"\\ude00\\ud83d", b"\\ud83d\\ud83d", b"\\ud83d x"),
    *(b"\\ud83dx\\ude00", b"\\ud83d\\\\ude00", b"\\ud83d\\u0041", b"a\\udc00", b"\\ud83d\\ude00\\ud83d", b"\\ud83d\\n"),
]
NULS = [b"\\u0000", b"a\\u0000", b"\\u0000b", b"a\\u0000b", b"\\u0000\\u0000", b"\\\\\\u0000", b"\\u0041\\u0000"]
TWICE = [
    *(b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"a":1,"b":2,"a":3}', b'{"a":1,"\\u0061":1}', b'{"\\u0061":1,"\\u0061":2}'),
    *(b'{"":1,"":2}', b'{"a":{"b":1,"b":2}}', b'[[{"a":1,"a":1}]]', b'{"a:":1,"a\\u003a":1}', b'{"a":":","a":""}'),
    *(
        b'{"a":"\\u003a","a":1}',
        b'{"a":{},"a":{}}',
        b'{"a":null,"a":null}',
        b'{"\\/":1,"/":2}',
        b'{"\\n":1,"\\u000a":2}',
    ),
    *('{"é":1,"\\u00e9":2}'.encode(), '{"é":1,"\\u00E9":2}'.encode(), '{"😀":1,"\\ud83d\\ude00":2}'.encode()),
    *(
        b'{"\\"":1,"\\u0022":2}',
        b'{"\\\\":1,"\\u005c":2}',
        b'{"a":[1,2,{"x":1,"y":2,"x":3}]}',
        b'{"__proto__":1,"__proto__":2}',
    ),
]
TWICE_AT_THE_TOP = [
    *(
        b'"userId":"b"',
        b'"type":"track"',
        b'"event":"A"',
        b'"messageId":"m"',
        b'"\\u0074ype":"page"',
        b'"us\\u0065rId":"b"',
    ),
    *(
        b'"properties":{},"properties":{}',
        b'"context":{},"context":null',
        b'"writeKey":"a","writeKey":"b"',
        b'"x":1,"x":1',
    ),
]


def cases(key: str) -> Iterator[Case]:
    """What is no UTF-8 is a 400; what is, but no character or no single member, refuses its own event."""
    for number, text in enumerate(NOT_UTF8):
        for place, member in (("value", b'"p":"%b"' % text), ("key", b'"%b":1' % text), ("bare", b'"p":%b' % text)):
            name = f"utf8-{number}-{place}"
            event = track(name, member)
            batch = number % 2 == 0
            body = b'{"batch":[%b]}' % event if batch else event
            yield whole(key, name, body, refused(400, "not_utf8"), batch=batch)
    for encoding in OTHER_ENCODINGS:
        for batch in (False, True):
            name = f"{encoding}-{batch}"
            body = (b'{"batch":[%b]}' % track(name) if batch else track(name)).decode().encode(encoding)
            yield whole(key, name, body, refused(400, _code(body)), batch=batch)
    for code, texts in (("lone_surrogate", SURROGATES), ("nul_character", NULS)):
        for number, text in enumerate(texts):
            for place, value in (("value", b'"%b"' % text), ("key", b'{"%b":1}' % text), ("deep", b'[["%b"]]' % text)):
                yield from both(key, f"{code}-{number}-{place}", holding(value), code)
    for number, value in enumerate(TWICE):
        yield from both(key, f"twice-{number}", holding(value), "duplicate_key")
    for number, members in enumerate(TWICE_AT_THE_TOP):
        yield from both(key, f"twice-top-{number}", partial(track, members=members), "duplicate_key")
    yield from both(key, "text-long", holding(b'"%b"' % ("é" * 15_000).encode()), ACCEPTED)


def _code(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "not_json"
