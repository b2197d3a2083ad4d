"""When a webhook is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.schedule import RETRIES, Delivered, GiveUp, Outcome, TryAgain, after, retry_after

NOW = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
FAILURES = (None, 301, 302, 304, 400, 401, 404, 429, 500, 503)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert after(1, Outcome(status), NOW, 0.5) == Delivered()


def test_410_disables_at_once() -> None:
    assert after(1, Outcome(410), NOW, 0.5) == GiveUp("gone", disable=True)


@pytest.mark.parametrize("status", FAILURES)
def test_the_waits_are_those_of_the_schedule(status: int | None) -> None:
    waits = []
    for attempt in range(1, len(RETRIES)):
        verdict = after(attempt, Outcome(status), NOW, 0.0)
        assert isinstance(verdict, TryAgain)
        waits.append((verdict.at - NOW).total_seconds())
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert after(len(RETRIES), Outcome(status), NOW, 0.0) == GiveUp("exhausted")


@given(
    st.integers(1, len(RETRIES) - 1),
    st.sampled_from(FAILURES),
    st.floats(0, 1),
    st.one_of(st.none(), st.text(max_size=40), st.integers(0, 10**12).map(str)),
)
def test_a_wait_is_never_shorter_than_the_schedule_and_never_longer_than_a_day_and_a_bit(
    attempt: int, status: int | None, chance: float, header: str | None
) -> None:
    verdict = after(attempt, Outcome(status, header), NOW, chance)
    assert isinstance(verdict, TryAgain)
    assert RETRIES[attempt] <= verdict.at - NOW <= timedelta(hours=26.4)


def test_retry_after_is_honoured_in_both_its_forms() -> None:
    assert after(1, Outcome(503, "120"), NOW, 0.0) == TryAgain(NOW + timedelta(seconds=120))
    assert retry_after("Mon, 02 Mar 2026 14:15:00 GMT", NOW) == timedelta(minutes=10)
    assert retry_after("Mon, 02 Mar 2026 14:00:00 GMT", NOW) == timedelta(0)
    assert retry_after("soon", NOW) == timedelta(0)
