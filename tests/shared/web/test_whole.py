"""A request that is read natively as a whole is what the parser of all of HTTP reads; any other is left to it.

Broken on purpose, each turned a test of this file red: names left in upper case, a name of no letters; a body one byte
short, or longer than its length; a second length, a chunked body, one that is waited for, an upgrade, a closing
connection let pass; values and targets of any bytes; space before a value kept; the first value of a name, or of a name
by its case; a length one too long.
"""

from typing import Any

import pytest
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.web import Fields

jornada_express = pytest.importorskip(
    "jornada_express", reason="NO EXPRESS LANE, NOTHING HERE WAS RUN: cargo is missing"
)
_MANY = settings(max_examples=2_000, deadline=None)

ODD = [
    b"Transfer-Encoding: chunked",
    b"Content-Length: 3",
    b"content-length: 03",
    b"Content-Length: +3",
    b"Content-Length: 3, 3",
    b"Expect: 100-continue",
    b"Upgrade: h2c",
    b"Connection: close",
    b"connection: Keep-Alive",
    b"Connection: keep-alive, Upgrade",
    b"Proxy-Connection: close",
    b"X-Empty:",
    b"X-Empty: ",
    b"X-Space:  two",
    b"X-Space: end ",
    b"X-Tab:\tvalue",
    b"X-None:value",
    b"X-Before : value",
    b" X-Folded: value",
    b"X-\xc3\xa9: value",
    b"X-High: \xc3\xa9",
    b"X-Null: a\x00b",
    b"X-Bare: a\rb",
    b"X-Bare: a\nb: c",
    b"X_Under-Score9: a:b, c",
    b": value",
    b"Host: a",
    b"Authorization: Basic d2s6",
]
heads = st.builds(
    lambda first, before, length, after, end, body: b"".join(
        [first, *[line + end for line in (*before, *length, *after)], end, body]
    ),
    st.sampled_from(
        [
            b"POST /v1/batch HTTP/1.1\r\n",
            b"POST /v1/t?a=b%20c&d HTTP/1.1\r\n",
            b"POST /v1/\xc3\xa9 HTTP/1.1\r\n",
            b"POST * HTTP/1.1\r\n",
            b"POST http://a/b HTTP/1.1\r\n",
            b"POST  /a HTTP/1.1\r\n",
            b"POST /a HTTP/1.0\r\n",
            b"POST /a HTTP/1.1\n",
            b"post /a HTTP/1.1\r\n",
            b"GET /a HTTP/1.1\r\n",
            b"\r\nPOST /a HTTP/1.1\r\n",
        ]
    ),
    st.lists(st.sampled_from(ODD), max_size=1),
    st.sampled_from([[b"Content-Length: 3"], [b"Content-Length: 3"], []]),
    st.lists(st.sampled_from(ODD), max_size=2),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]),
    st.sampled_from([b"abc", b"abc", b"ab", b"abcd", b"", b"abcPOST /v1/batch HTTP/1.1\r\n"]),
)


class Heard:
    """All that the parser tells of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.target, self.body, self.done = b"", b"", 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.expects_more = True
        parser: Any = HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.done = -1
        self.method = parser.get_method()
        self.keeps = parser.get_http_version() == "1.1" and parser.should_keep_alive() and not parser.should_upgrade()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done += 1


def _agree(data: bytes) -> None:
    read = jornada_express.whole(data)
    if read is not None:
        heard = Heard(data)
        assert (heard.method, heard.done, heard.keeps) == (b"POST", 1, True)
        assert (read.target, read.fields, read.body) == (heard.target, heard.headers, heard.body)
        assert read.length == Fields(heard.headers).length
        for name in {name for name, _ in heard.headers} | {b"x-none", b""}:
            assert read.get(name) == Fields(heard.headers).get(name)
        assert not {b"expect", b"transfer-encoding", b"upgrade"} & dict(heard.headers).keys()


@_MANY
@given(heads)
def test_what_is_read_natively_the_parser_reads_alike(data: bytes) -> None:
    _agree(data)


ORDINARY = (
    b"POST /v1/batch?a=1 HTTP/1.1\r\nHost: api.example.com:443\r\nUser-Agent: analytics-python/2.3.4 (x; y)\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nAuthorization: Basic d2s6\r\n"
    b"Content-Type: application/json\r\nContent-Length: 12\r\n\r\n" + b'{"batch":[]}'
)


@_MANY
@given(st.lists(st.tuples(st.integers(0, len(ORDINARY) - 1), st.binary(max_size=2), st.integers(0, 2)), max_size=3))
def test_nor_does_a_broken_byte_make_a_difference(edits: list[tuple[int, bytes, int]]) -> None:
    data = ORDINARY
    for at, written, over in edits:
        data = data[:at] + written + data[at + over :]
    _agree(data)


def test_of_a_name_that_is_there_twice_the_last_value_holds() -> None:
    data = ORDINARY.replace(b"Accept: */*", b"X-Write-Key: one\r\nAccept: */*\r\nx-write-key: other")
    _agree(data)
    assert jornada_express.whole(data).get(b"x-write-key") == b"other"


def test_the_ordinary_is_read_natively() -> None:
    read = jornada_express.whole(ORDINARY)
    assert (read.target, read.body, read.length) == (b"/v1/batch?a=1", b'{"batch":[]}', 12)
    assert read.fields[0] == (b"host", b"api.example.com:443")
    assert len(read.fields) == 8


@pytest.mark.parametrize("line", ODD[:8] + ODD[9:11])
def test_what_is_read_otherwise_for_a_header_is_left_to_the_parser(line: bytes) -> None:
    assert jornada_express.whole(ORDINARY.replace(b"Accept: */*", line)) is None


def test_a_head_of_many_bytes_and_one_that_is_not_there_as_a_whole_are_left_to_the_parser() -> None:
    assert jornada_express.whole(ORDINARY.replace(b"*/*", b"a" * 9_000)) is None
    assert jornada_express.whole(ORDINARY.replace(b"/v1", b"/v" + b"1" * 9_000)) is None
    assert all(jornada_express.whole(ORDINARY[:end]) is None for end in range(len(ORDINARY)))
    assert jornada_express.whole(ORDINARY + b"P") is None
