"""HTTP itself, kept and broken: lengths that lie, chunks, pipelines, slow senders, odd methods and paths, garbage."""

from collections.abc import Iterator

from tests.ingest.corpus.cases import LAWFUL, Case, Expected, basic, judged, refused, request, track

_BAD_REQUEST = Expected(frozenset({400, 404, 405, 408, 413, 414, 431, 501, 505}), silent=True)
_METHODS = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "SEARCH", "LINK", "MKCOL", "PURGE", "REPORT"]
_NO_METHODS = ["get", "post", "P", "POSTS", "FOO", "POST\t", "P\xd3ST", "PRI", "CONNECT", "-", "POST\x00"]
_PATHS = {
    "/v1/%74rack": 200,
    "/v1%2Ftrack": 200,
    "/v1/track?": 200,
    "/v1/track?a=b&a=%00": 200,
    "/v1/track#x": 200,
    "/v1/track//": 404,
    "//v1/track": 404,
    "/v1/Track": 404,
    "/v1/track%00": 404,
    "/v1/track%0a": 404,
    "/v1/track/../track": 404,
    "/v1/./track": 404,
    "/v1/%C3%A9": 404,
    "/v1/%ff%fe": 404,
    "/v1/%": 404,
    "/v1/%zz": 404,
    "/v1/%u0041": 404,
    "/v1/track;x": 404,
    "/v1": 404,
    "/": 404,
    "/v2/track": 404,
    "/v1/batch/x": 404,
    "/" + "a" * 8_000: 404,
    "/?" + "a" * 20_000: 404,
}
_GARBAGE = [
    *(
        b"\r\n\r\n",
        b"\n\n\n\n",
        b"\x00" * 200 + b"\r\n\r\n",
        b"\xff" * 200 + b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"{}\r\n\r\n",
    ),
    *(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ),
    *(
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ),
    *(
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b" GET / HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"\r\n" * 99 + b"x\r\n\r\n",
    ),
    *(
        b"POST /v1/track HTTP/1.1\r\nhost\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\n: x\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\n x: y\r\n\r\n",
    ),
    *(
        b"POST /v1/track HTTP/1.1\r\nhost: a\x00b\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nho st: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ),
    *(
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET http://a:b/ HTTP/1.1\r\n\r\n",
        b"GET x HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
    ),
]
_LENGTHS = ["-1", "+5", "0x10", "1e3", "1.0", "", " ", "abc", "9" * 30, "9" * 6_000, "5, 5", "5,6", "\xb2", "1 2"]
_CHUNKS = [
    *(
        b"zz\r\n",
        b"-1\r\n\r\n",
        b"5\r\nab\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 hello\r\n",
        b"\r\n\r\n",
        b"f" * 40 + b"\r\n",
    ),
    *(b"5\r\nhello0\r\n\r\n", b"5;" + b"x" * 70_000 + b"\r\nhello\r\n0\r\n\r\n"),
]
_HOST = b"host: ingest"
_CLOSE = b"connection: close"


def cases(key: str) -> Iterator[Case]:
    """From the request line to the last byte."""
    for method in _METHODS:
        yield Case(f"method-{method}", (request("/v1/batch", b"", basic(key), method=method),), refused(405))
    for method in _NO_METHODS:
        text = request("/v1/batch", b"", basic(key)).replace(b"POST", method.encode("latin-1"), 1)
        yield Case(f"method-{method!a}", (text,), _BAD_REQUEST)
    for number, (path, status) in enumerate(_PATHS.items()):
        name = f"path-{number}"
        expected = judged(track(name)) if status == 200 else refused(status)
        yield Case(name, (request(path, track(name), basic(key)),), expected)
    for number, garbage in enumerate(_GARBAGE):
        yield Case(
            f"garbage-{number}", (garbage,), Expected(frozenset({200, 204, *_BAD_REQUEST.statuses}), silent=True)
        )
    yield from _framed(key)
    yield from _versions(key)
    yield from _large(key)
    yield from _slow(key)


def _head(key: str, *lines: bytes, path: str = "/v1/track") -> bytes:
    return b"\r\n".join([b"POST %b HTTP/1.1" % path.encode(), _HOST, basic(key), *lines, b"", b""])


def _framed(key: str) -> Iterator[Case]:
    for number, length in enumerate(_LENGTHS):
        head = _head(key, _CLOSE, b"content-length: " + length.encode("latin-1"))
        yield Case(f"length-{number}", (head + b"{}",), Expected(frozenset({400, 401, 413}), silent=True))
    for number, size in enumerate((512_001, 600_000, 10**12, 2**63, 2**64 - 1)):
        yield Case(
            f"length-large-{number}", (_head(key, b"content-length: %d" % size),), refused(413, "body_too_large")
        )
    chunked = b"transfer-encoding: chunked"
    for number, sizes in enumerate(((10_000,), (1,), (7, 3), (50,))):
        name = f"chunks-{number}"
        yield Case(name, (_head(key, _CLOSE, chunked), *_chunks(track(name), sizes)), judged(track(name)))
    name = "chunks-spelt"
    body = b"%X;ext=1\r\n%b\r\n0;last\r\ntrailer: x\r\n\r\n" % (len(track(name)), track(name))
    yield Case(name, (_head(key, _CLOSE, b"Transfer-Encoding: Chunked") + body,), judged(track(name)))
    flood = b"".join(b"%x\r\n%b\r\n" % (10_000, b" " * 10_000) for _ in range(60)) + b"0\r\n\r\n"
    yield Case("chunks-too-many", (_head(key, _CLOSE, chunked), flood), refused(413, "body_too_large"))
    for number, broken in enumerate(_CHUNKS):
        yield Case(f"chunks-broken-{number}", (_head(key, _CLOSE, chunked), broken), _BAD_REQUEST)
    for number, coding in enumerate(
        (b"gzip", b"identity", b"gzip, chunked", b"chunked, gzip", b"xchunked", b"chunked,chunked", b"")
    ):
        lines = (_CLOSE, b"transfer-encoding: " + coding, b"content-length: 2")
        yield Case(
            f"coding-{number}",
            (_head(key, *lines) + b"{}",),
            Expected(frozenset({200, *_BAD_REQUEST.statuses}), silent=True),
        )
    both = (_CLOSE, chunked, b"content-length: 5")
    yield Case("smuggled", (_head(key, *both) + b"0\r\n\r\n",), _BAD_REQUEST)
    two = (_CLOSE, b"content-length: 2", b"content-length: 3")
    yield Case("two-lengths", (_head(key, *two) + b"{}x",), _BAD_REQUEST)
    name = "expects"
    lines = (_CLOSE, b"expect: 100-continue", b"content-length: %d" % len(track(name)))
    yield Case(name, (_head(key, *lines), 0.2, track(name)), judged(track(name)))
    for number, upgrade in enumerate((b"websocket", b"h2c", b"x", b"TLS/1.0")):
        name = f"upgrade-{number}"
        lines = (b"connection: upgrade, close", b"upgrade: " + upgrade, b"content-length: %d" % len(track(name)))
        yield Case(name, (_head(key, *lines) + track(name),), judged(track(name)))


def _chunks(body: bytes, sizes: tuple[int, ...]) -> Iterator[bytes]:
    at, turn = 0, 0
    while at < len(body):
        part = body[at : at + sizes[turn % len(sizes)]]
        yield b"%x\r\n%b\r\n" % (len(part), part)
        at, turn = at + len(part), turn + 1
    yield b"0\r\n\r\n"


def _versions(key: str) -> Iterator[Case]:
    for number, (version, lines) in enumerate(
        (
            (b"1.0", (_HOST,)),
            (b"1.0", ()),
            (b"1.1", ()),
            (b"1.1", (b"host: ",)),
            (b"1.1", (b"host: \xc3\xa9",)),
            (b"1.1", (_HOST, _HOST)),
        )
    ):
        name = f"version-{number}"
        length = b"content-length: %d" % len(track(name))
        text = b"\r\n".join([b"POST /v1/track HTTP/" + version, basic(key), _CLOSE, *lines, length, b"", track(name)])
        yield Case(name, (text,), judged(track(name)))
    text = request("http://elsewhere:1/v1/track", track("absolute"), basic(key))
    yield Case("absolute", (text,), judged(track("absolute")))
    for count in (2, 10, 60):
        each = [track(f"pipelined-{count}-{number}") for number in range(count)]
        texts = [_head(key, b"content-length: %d" % len(one)) + one for one in each]
        yield Case(f"pipelined-{count}", (b"".join(texts),), judged(*each), answers=count)
    late = request("/v1/track", track("pipelined-late"), basic(key))
    text = _head("x", b"content-length: 9") + b"{" * 9 + late
    yield Case("pipelined-late", (text,), LAWFUL, answers=2)
    name = "half-closed"
    yield Case(name, (request("/v1/track", track(name), basic(key)),), judged(track(name)))


def _large(key: str) -> Iterator[Case]:
    for size in (1_000, 16_000, 40_000):
        name = f"header-{size}"
        yield Case(name, (request("/v1/t", track(name), basic(key), b"x: " + b"y" * size),), judged(track(name)))
    for size in (70_000, 200_000, 2_000_000):
        too_large = Expected(frozenset({400, 414, 431}), silent=True)
        yield Case(f"header-{size}", (request("/v1/t", b"{}", basic(key), b"x: " + b"y" * size),), too_large)
        yield Case(f"headers-{size}", (request("/v1/t", b"{}", basic(key), *[b"x: y"] * (size // 6)),), too_large)
        yield Case(f"target-{size}", (request("/v1/t?" + "a" * size, b"{}", basic(key)),), too_large)
    yield Case(
        "header-many",
        (request("/v1/t", track("header-many"), *[b"x: y"] * 500, basic(key)),),
        judged(track("header-many")),
    )


def _slow(key: str) -> Iterator[Case]:
    """Nobody is waited for longer than the rules say; whoever is a little slow is served."""
    name = "slow-but-whole"
    text = request("/v1/track", track(name), basic(key))
    pieces: list[bytes | float] = []
    for at in range(0, len(text), 40):
        pieces += [text[at : at + 40], 0.02]
    yield Case(name, tuple(pieces), judged(track(name)))
    too_slow = Expected(frozenset({400, 408}), silent=True)
    yield Case("slow-nothing", (b"", 29.0), too_slow)
    yield Case("slow-line", (b"POST /v1/tr", 29.0), too_slow)
    yield Case("slow-headers", (_head(key)[:-2], *_dripping(b"x: y\r\n")), too_slow)
    second = (request("/v1/track", b"{}").replace(_CLOSE, b"x: y"), 0.5, b"POST /v1/", 29.0)
    yield Case("slow-second", second, Expected(frozenset({401, 408}), silent=True), answers=2)
    length = b"content-length: 1000"
    yield Case("slow-body", (_head(key, length) + b"{", 29.0), refused(408, "body_too_slow"))
    yield Case("slow-drops", (_head(key, length) + b"{", *_dripping(b" ")), refused(408, "body_too_slow"))
    yield Case(
        "slow-chunks",
        (_head(key, b"transfer-encoding: chunked"), *_dripping(b"1\r\n \r\n")),
        refused(408, "body_too_slow"),
    )
    yield Case(
        "slow-chunk", (_head(key, b"transfer-encoding: chunked") + b"5\r\nab", 29.0), refused(408, "body_too_slow")
    )
    yield Case("slow-elsewhere", (_head(key, length, path="/v1/sources") + b"{", 29.0), Expected(frozenset({401, 408})))


def _dripping(drop: bytes) -> tuple[bytes | float, ...]:
    return tuple(piece for _ in range(25) for piece in (drop, 1.0))
