"""Whether to write to a customer."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.campaigns import Campaign, Entry, QuietHours
from services.notify.domain.customers import Customer, Settled, language_of, worth_deciding
from services.notify.domain.decisions import (
    Asked,
    Decision,
    HoldUntil,
    Known,
    Send,
    Suppress,
    decide,
    held_out,
    quiet_until,
)
from tests.notify.factories import AT, WORKSPACE, campaign, customer, subject_of

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
KNOWN = Known(zone=SAO_PAULO)


def decided(
    whom: Customer | None, of: Campaign, known: Known = KNOWN, at: datetime = AT, *, running: bool = True
) -> Decision:
    return decide(Asked(WORKSPACE, "check-in", of, running), whom, known, at)


def test_a_customer_with_an_address_is_written_to() -> None:
    assert decided(customer(), campaign()) == Send("ana@example.com")


TABLE = [
    (customer(), campaign(), KNOWN._replace(erased=True), "erased"),
    (None, campaign(), KNOWN, "unknown_customer"),
    (customer(), campaign(entry=Entry(stages=["active"])), KNOWN, "other_stage"),
    (customer(traits={}), campaign(), KNOWN, "no_address"),
    (customer(traits={"email": 7}), campaign(), KNOWN, "no_address"),
    (customer(), campaign(), KNOWN._replace(suppressed=True), "suppressed_address"),
    (customer(consents={"email/service": "denied"}), campaign(), KNOWN, "no_consent"),
    (customer(consents={"email/service": "revoked"}), campaign(), KNOWN, "no_consent"),
    (customer(), campaign(purpose="marketing"), KNOWN, "no_consent"),
    (customer(consents={"email/service": "granted"}), campaign(purpose="marketing"), KNOWN, "no_consent"),
    (customer(), campaign(hold_out=1.0), KNOWN, "held_out"),
    (customer(), campaign(), KNOWN._replace(sent_at=[AT - timedelta(days=6, hours=23)]), "capped"),
    (customer(), campaign(), KNOWN._replace(sender=False), "no_sender"),
]


@pytest.mark.parametrize(("whom", "of", "known", "reason"), TABLE, ids=[row[3] for row in TABLE])
def test_every_no_has_its_reason(whom: Customer | None, of: Campaign, known: Known, reason: str) -> None:
    assert decided(whom, of, known) == Suppress(reason)  # type: ignore[arg-type]


def test_a_campaign_that_does_not_run_sends_nothing() -> None:
    assert decided(customer(), campaign(), running=False) == Suppress("campaign_not_running")


def test_marketing_goes_to_who_agreed_to_it() -> None:
    agreed = customer(consents={"email/marketing": "granted"})
    assert decided(agreed, campaign(purpose="marketing")) == Send("ana@example.com")


def test_the_cap_is_a_rolling_window() -> None:
    assert decided(customer(), campaign(), KNOWN._replace(sent_at=[AT - timedelta(days=7)])) == Send("ana@example.com")


def test_at_night_a_message_is_held_until_the_morning_of_the_customers_zone() -> None:
    night = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)  # 22:30 in São Paulo
    held = decided(customer(), campaign(quiet_hours=QuietHours()), at=night)
    assert held == HoldUntil(datetime(2026, 3, 3, 11, 0, tzinfo=UTC))
    berlin = KNOWN._replace(zone=ZoneInfo("Europe/Berlin"))
    held = decided(customer(), campaign(quiet_hours=QuietHours()), berlin, night)
    assert held == HoldUntil(datetime(2026, 3, 3, 7, 0, tzinfo=UTC))


def test_a_campaign_without_quiet_hours_sends_at_night() -> None:
    night = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    assert decided(customer(), campaign(quiet_hours=None), at=night) == Send("ana@example.com")


@given(
    st.integers(0, 5_000_000).map(lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.integers(0, 23),
    st.integers(0, 23),
    st.sampled_from(["America/Sao_Paulo", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
)
def test_what_is_held_is_free_to_go_when_the_hold_ends(at: datetime, from_: int, to: int, zone: str) -> None:
    quiet = QuietHours(from_=from_, to=to)
    until = quiet_until(quiet, ZoneInfo(zone), at)
    if until is not None:
        assert at < until <= at + timedelta(hours=25)
        assert quiet_until(quiet, ZoneInfo(zone), until) is None


@given(st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_hold_out_keeps_whom_a_smaller_one_kept(name: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    kept_small = held_out(WORKSPACE, "c", subject_of(name), small)
    assert not kept_small or held_out(WORKSPACE, "c", subject_of(name), large)


def test_the_hold_out_keeps_about_its_share() -> None:
    kept = sum(held_out(WORKSPACE, "c", subject_of(str(number)), 0.2) for number in range(5_000))
    assert 850 < kept < 1_150


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("pt-BR", "pt-BR"),
        ("pt_BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("en-GB", "en"),
        ("de", "en"),
        (5, "en"),
    ],
)
def test_the_language_follows_the_locale(locale: object, language: str) -> None:
    whom = customer(traits={"locale": locale})
    assert language_of(whom, campaign().messages, "en") == language


def test_a_decision_waits_for_the_journey_that_the_crossing_came_from() -> None:
    assert worth_deciding(Settled(10, 10, "red"), "red", 0)
    assert not worth_deciding(Settled(9, 10, "red"), "red", 1.9)
    assert not worth_deciding(Settled(10, 9, "yellow"), "red", 1.9)
    assert worth_deciding(Settled(9, 10, "red"), "red", 2)
    assert not worth_deciding(Settled(None, None, None), "red", 59)
    assert worth_deciding(Settled(None, None, None), "red", 60)
