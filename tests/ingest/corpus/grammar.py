"""RFC 8259, kept and broken: families after JSONTestSuite's valid (y), invalid (n) and undecided (i) texts."""

from collections.abc import Iterator

from tests.ingest.corpus.cases import ACCEPTED, Case, both, holding, refused, track, whole

VALID = [
    *(b"null", b"true", b"false", b"0", b"-1", b'""', b"[]", b"{}", b"[[]]", b"[{}]", b'{"":0}', b'{"":{"":""}}'),
    *(b"[ ]", b"{ }", b"[\n]", b"[\t1 ,\r\n2 ]", b'{"a" : 1}', b' { "a":[ ] } ', b"\n\n1\n", b"[1,null,1]"),
    *(b'"\\""', b'"\\\\"', b'"\\/"', b'"/"', b'"\\b\\f\\n\\r\\t"', b'"\\u0041"', b'"\\u00e9"', b'"\\u00E9"'),
    *(b'"\\ud83d\\ude00"', b'"\\uD834\\udd1e"', b'"\\uFFFF"', b'"\\uFFFE"', b'"\\u2028\\u2029"', b'"\\ufeff"'),
    *(b'"\\u0001"', b'"\\u001f"', b'"\\u007f"', b'"\x7f"', b'"\\\\u0000"', b'"\\\\ud800"', b'"\\u005c"', b'"\\u0022"'),
    *('"é"'.encode(), '"€"'.encode(), '"😀"'.encode(), '"\u2028"'.encode(), '"\ufeff"'.encode(), '"\uffff"'.encode()),
    *('"\U0010ffff"'.encode(), '"\ue000"'.encode(), '{"é":"ü"}'.encode(), '"e\u0301"'.encode(), '"\u202e"'.encode()),
    *(b'"[{,:}]"', b'"//"', b'"/* */"', b'"NaN"', b'"1e400"', b'"null"', b'"undefined"', b'"<script>"', b'"%00"'),
    *(b'":"', b'{":":":"}', b'{"a:b":"c:d"}', b'{"a\\u003ab":1}', b'{"a":1,"A":2}', b'{"a":1,"b":{"a":1}}'),
    *('{"é":1,"e\u0301":2}'.encode(), b'{"a":1,"a ":2}', b'{"a":1,"\\u0062":2}', b'["a","a"]', b'[{"a":1},{"a":1}]'),
    *(b'{"batch":[1]}', b'"batch"', b'{"b\\u0061tch":[]}', b'{"writeKey":"mine"}', b'{"__proto__":{"a":1}}'),
    *(
        b'{"constructor":{"prototype":{}}}',
        b'{"toString":1,"hasOwnProperty":null}',
        b'{"$ref":"#/"}',
        b'{"$where":"1"}',
    ),
]
INVALID = [
    *(b"", b"nul", b"nulll", b"tru", b"True", b"FALSE", b"NULL", b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"+Inf"),
    *(
        b"undefined",
        b"None",
        b"a",
        b"'a'",
        b"`a`",
        b'"',
        b'"a',
        b'a"',
        b'"a"b',
        b'"a" "b"',
        b'"\\"',
        b'"\\x41"',
        b'"\\a"',
    ),
    *(b'"\\u"', b'"\\u1"', b'"\\u12"', b'"\\u123"', b'"\\u12g4"', b'"\\U0041"', b'"\\u{41}"', b'"\\0"', b'"\\\'"'),
    *(
        b'"\n"',
        b'"\t"',
        b'"\r"',
        b'"\x00"',
        b'"\x01"',
        b'"\x1f"',
        b'"\\\n"',
        b"\x00",
        b"\x0b1",
        b"\x0c1",
        b"\x1f",
        b"1\x00",
    ),
    *(b"01", b"-01", b"00", b"+1", b"+0", b"-", b"--1", b"- 1", b"1.", b"-1.", b".5", b"-.5", b"1.e1", b"1e", b"1e+"),
    *(b"1E-", b"1e1.5", b"1e1e1", b"1.2.3", b"0x10", b"0b1", b"0o7", b"1_000", b"1,000", b"1f", b"1n", b"1 000", b"1a"),
    *("１".encode(), b"1/2", b"[1", b"1]", b"[1,]", b"[,1]", b"[,]", b"[1,,2]", b"[1 2]", b"[1:2]", b'["a":1]', b"[[]"),
    *(b"[}", b"{]", b"{", b"}", b"{,}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1,,"b":1}', b'{"a" 1}'),
    *(
        b'{"a"::1}',
        b'{"a":1 "b":2}',
        b'{"a":1;"b":2}',
        b"{a:1}",
        b"{'a':1}",
        b"{1:1}",
        b"{null:1}",
        b"{[]:1}",
        b'{"a"=1}',
    ),
    *(b'{"a":1}}', b'{"a":[1}', b'{"a":1]', b"// c\n1", b"/**/1", b"1//", b"1/* */", b"# c\n1", b"<!-- -->1", b"(1)"),
    *("\u00a01".encode(), "1\u2028".encode(), "\ufeff1".encode(), "“a”".encode(), b"[1]x", b"\\u0031", b"<null>", b"*"),
    *(b"@", b"$", b"&", b"...", b"[...]", b'"a"+"b"', b"new Date()", b"1;", b"=", b"\\"),
]
BODIES_THAT_ARE_NO_OBJECT = [
    b"null",
    b"1",
    b"-0.5e3",
    b'"a"',
    b"[]",
    b'[{"type":"track"}]',
    b"true",
    b"[" * 400 + b"]" * 400,
]


def cases(key: str) -> Iterator[Case]:
    """Valid texts are kept as sent; one wrong character refuses the request, for nothing in it can be told apart."""
    for number, text in enumerate(VALID):
        yield from both(key, f"y-{number}", holding(text), ACCEPTED)
    broken = refused(400, "not_json")
    for number, text in enumerate(INVALID):
        for batch in (False, True):
            name = f"n-{number}-{'batch' if batch else 'single'}"
            event = holding(text)(name)
            yield whole(key, name, b'{"batch":[%b,%b]}' % (track(name), event) if batch else event, broken, batch=batch)
            yield whole(key, f"{name}-whole", text, broken, batch=batch)
            yield whole(key, f"{name}-after", b'{"batch":[%b]}%b' % (track(name), text or b","), broken, batch=batch)
    for number, text in enumerate(BODIES_THAT_ARE_NO_OBJECT):
        for batch in (False, True):
            yield whole(key, f"o-{number}-{batch}", text, refused(400, "not_an_object"), batch=batch)
