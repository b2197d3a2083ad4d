"""Numbers as scoring reckons with them."""

from math import inf, nextafter

from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.shapes import least, significant

_numbers = st.floats(-1e6, 1e6).filter(lambda number: number == 0 or abs(number) > 1e-9)


@given(_numbers, _numbers, st.integers(-3, 3))
def test_what_is_compared_before_it_is_rounded_compares_as_when_it_is(
    threshold: float, other: float, steps: int
) -> None:
    for each in (threshold, significant(threshold)):
        edge = least(each)
        beside = edge
        for _ in range(abs(steps)):
            beside = nextafter(beside, inf if steps > 0 else -inf)
        for value in (edge, beside, each, other):
            assert (value >= edge) == (significant(value) >= each)


def test_who_has_no_threshold_is_compared_with_none() -> None:
    assert (least(-inf), least(0.0), least(inf)) == (-inf, 0.0, inf)
