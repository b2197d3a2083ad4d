"""What an alert says and who wants it."""

from datetime import timedelta

import pytest

from jornada.events import Identifier, Reason, encode
from services.notify.domain.alerts import ALERT_CREATED, MOST_BYTES, When, alert_of, alerts, wanted, webhook_body
from tests.notify.factories import AT, crossing

HOUR = timedelta(hours=1)


def test_only_health_into_red_raises_an_alert() -> None:
    assert alerts(crossing())
    assert not alerts(crossing(to="yellow"))
    assert not alerts(crossing(score="churn_risk"))


@pytest.mark.parametrize(
    ("when", "wants"),
    [
        (When(), True),
        (When(score="health", to="red", subject="customer"), True),
        (When(subject="account"), False),
        (When(score="churn_risk"), False),
        (When(to="yellow"), False),
    ],
)
def test_a_filter_wants_what_it_names_and_an_empty_one_everything(when: When, wants: bool) -> None:
    assert wanted(when, alert_of(crossing(), freshness=HOUR, now=AT)) is wants


def test_an_alert_is_stale_once_it_was_recorded_longer_ago_than_the_limit() -> None:
    assert not alert_of(crossing(), freshness=HOUR, now=AT + HOUR).stale
    assert alert_of(crossing(), freshness=HOUR, now=AT + HOUR + timedelta(seconds=1)).stale


def test_a_webhook_stays_under_20_kb() -> None:
    reasons = [Reason(code="c", values={"a": "x" * 3_000})] * 20
    names = [Identifier("user_id", "y" * 256)] * 100
    alert = alert_of(crossing(because=reasons, identifiers=names), freshness=HOUR, now=AT)
    assert len(encode(alert)) <= MOST_BYTES
    assert len(webhook_body(ALERT_CREATED, alert, AT)) < 20_000
