"""A head of which all fields were read."""

import pytest

from jornada.web import Fields


def test_the_last_field_of_a_name_holds_and_all_are_kept() -> None:
    head = Fields([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert (head.get(b"a"), head.get(b"b"), head.get(b"c")) == (b"3", b"2", None)
    assert head.fields == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


@pytest.mark.parametrize(
    ("stated", "length"),
    [
        *((b"0", 0), (b"512001", 512_001), (b"007", 7), (b"9" * 20, 10**20 - 1)),
        *((b"", None), (b"+3", None), (b"-3", None), (b"3, 3", None), (b"0x3", None), (b"3.0", None), (b"\xb2", None)),
    ],
)
def test_a_length_is_digits_and_nothing_else(stated: bytes, length: int | None) -> None:
    assert Fields([(b"content-length", stated)]).length == length


def test_a_length_of_very_many_digits_is_a_large_one() -> None:
    stated = Fields([(b"content-length", b"9" * 5_000)]).length
    assert stated is not None
    assert stated > 10**18


def test_where_no_length_is_stated_there_is_none() -> None:
    assert Fields([(b"transfer-encoding", b"chunked")]).length is None
