"""Texts, values and events that no writer of JSON would write: spaced, escaped, deep, doubled, enormous."""

from hypothesis import strategies as st

from tests.ingest.corpus.fields import members_of

spaces = st.sampled_from([b"", b"", b" ", b"\n\t", b"\r\n  "])
_characters = st.sampled_from(
    [
        *(
            "a",
            ":",
            "{",
            "]",
            ",",
            "\\u0061",
            "\\u003a",
            "\\u003A",
            "\\n",
            "\\/",
            "/",
            '\\"',
            "\\\\",
            "é",
            "😀",
            "\\u00e9",
        ),
        *(
            "\\ud83d\\ude00",
            "\\ud800",
            "\\udc00",
            "\\u0000",
            "\u2028",
            "\x7f",
            "%",
            "batch",
            "writeKey",
            "\\u0001",
        ),
    ]
)
texts = st.lists(_characters, max_size=6).map(lambda each: b'"%b"' % "".join(each).encode())
_long_keys = st.builds(
    lambda part, times: b'"%b"' % (part.encode() * times),
    st.sampled_from(["k", "é", '\\"', "\\u0041", "k" * 50 + '\\"']),
    st.integers(1, 130),
)
_numbers = st.one_of(
    st.integers(-(2**54), 2**54).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["9007199254740991", "9007199254740992", "1e400", "1E5", "-0", "-0.0", "0.1000000000000000055"]),
).map(str.encode)


def spaced(begin: bytes, parts: list[bytes], end: bytes, space: bytes) -> bytes:
    """An object or array, with space between all of its parts."""
    return begin + space + (space + b"," + space).join(parts) + space + end


def objects(of: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Objects with such values, now and then with the same key twice."""
    members = st.tuples(texts | _long_keys, spaces, of).map(lambda each: b"%b%b:%b" % each)
    return st.builds(spaced, st.just(b"{"), st.lists(members, max_size=5), st.just(b"}"), spaces)


def _arrays(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(spaced, st.just(b"["), st.lists(values, max_size=4), st.just(b"]"), spaces)


_scalars = st.sampled_from([b"true", b"false", b"null"]) | texts | _numbers
_deep = st.builds(
    lambda n, of: of[:-1] * n + b"1" + of[-1:] * n, st.sampled_from([30, 31, 32, 33, 400, 1_200]), st.just(b"[]")
)
values = st.recursive(_scalars, lambda inner: objects(inner) | _arrays(inner), max_leaves=12) | _deep
_names = st.sampled_from([b"properties", b"context", b"traits", b"userId", b"timestamp", b"sentAt", b"type", b"x"])


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Mostly an event with a member or two that are odd; now and then no event at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    odd = draw(st.dictionaries(_names.map(bytes.decode), values | st.just(b'"2026-01-01T00:00:00Z"'), max_size=2))
    return members_of(f"m-{draw(st.integers(0, 10**9))}", odd)
