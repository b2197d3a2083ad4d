"""What names mean: as shipped, as a workspace says, and whenever it says so."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import Identifier, JourneySnapshot, Measures, Touchpoint, encode, new_id
from jornada.rules import parse
from jornada.web import Reference
from services.journey.domain import folding
from services.journey.domain.reading import read
from services.journey.domain.view import terms
from services.journey.domain.vocabulary import (
    ALL_KINDS,
    KINDS,
    LONGEST_NAME,
    MOST_NAMES,
    MOST_OWN_KINDS,
    SHIPPED,
    Meaning,
    Vocabulary,
    flaws,
)
from services.journey.store import in_force, paths, portraits
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_order import ACCOUNTS, LATE_ALIAS, SHARED, identifiers_of, shuffled

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "vocabulary.md").read_text()

FAMILIES: Mapping[str, Mapping[str, str]] = {
    "acquisition": {
        "Install Attributed": "install_attributed",
        "Deep Link Opened": "deep_link_opened",
        "Promotion Clicked": "promotion_clicked",
    },
    "account": {
        "Account Created": "signed_up",
        "Account Deleted": "account_deleted",
        "Signed Up": "signed_up",
        "Signed In": "signed_in",
        "Signed Out": "signed_out",
        "Invite Sent": "invite_sent",
        "Account Added User": "account_added_user",
        "Account Removed User": "account_removed_user",
        "Trial Started": "trial_started",
        "Trial Ended": "trial_ended",
    },
    "commerce": {
        "Products Searched": "products_searched",
        "Product List Viewed": "product_list_viewed",
        "Product Viewed": "product_viewed",
        "Product Added": "cart_changed",
        "Product Removed": "cart_changed",
        "Cart Viewed": "cart_changed",
        "Checkout Started": "checkout_started",
        "Checkout Step Completed": "checkout_step_completed",
        "Payment Info Entered": "payment_info_entered",
        "Order Completed": "purchased",
        "Order Updated": "order_updated",
        "Order Refunded": "refunded",
        "Order Cancelled": "refunded",
        "Coupon Applied": "coupon_applied",
        "Product Reviewed": "product_reviewed",
        "Product Shared": "product_shared",
    },
    "e-mail": {
        "Email Delivered": "message_delivered",
        "Email Opened": "message_opened",
        "Email Link Clicked": "message_clicked",
        "Email Bounced": "message_bounced",
        "Email Marked as Spam": "message_complained",
        "Unsubscribed": "unsubscribed",
    },
    "chat": {
        "Live Chat Conversation Started": "chat_started",
        "Live Chat Message Sent": "chat_message_sent",
        "Live Chat Message Received": "chat_message_received",
        "Live Chat Conversation Ended": "chat_ended",
    },
    "mobile": {
        "Application Installed": "app_installed",
        "Application Opened": "app_opened",
        "Application Backgrounded": "app_backgrounded",
        "Application Updated": "app_updated",
        "Application Uninstalled": "app_uninstalled",
        "Application Crashed": "app_crashed",
        "Push Notification Received": "push_notification_received",
        "Push Notification Tapped": "push_notification_tapped",
        "Push Notification Bounced": "push_notification_bounced",
    },
    "experiment": {"Experiment Viewed": "experiment_viewed"},
    "usage": {"Feature Used": "feature_used"},
    "feedback": {"Survey Responded": "survey_responded", "Feedback Answered": "feedback_answered"},
    "support": {
        "Support Ticket Created": "ticket_opened",
        "Support Ticket Updated": "ticket_updated",
        "Support Ticket Replied": "ticket_replied",
        "Support Ticket Escalated": "ticket_escalated",
        "Support Ticket Resolved": "ticket_resolved",
        "Support Ticket Reopened": "ticket_reopened",
    },
    "training": {
        "Training Assigned": "training_assigned",
        "Training Started": "training_started",
        "Training Completed": "training_completed",
        "Onboarding Step Completed": "onboarding_step_completed",
        "Help Article Viewed": "help_article_viewed",
        "Help Article Rated": "help_article_rated",
    },
    "billing": {
        "Subscription Started": "subscription_started",
        "Subscription Renewed": "subscription_renewed",
        "Subscription Upgraded": "subscription_upgraded",
        "Subscription Downgraded": "subscription_downgraded",
        "Subscription Cancelled": "subscription_cancelled",
        "Payment Failed": "payment_failed",
        "Payment Recovered": "payment_recovered",
        "Invoice Overdue": "invoice_overdue",
    },
    "relationship": {"Contact Logged": "contact_logged"},
    "community": {
        "Community Post Created": "community_post_created",
        "Community Answer Accepted": "community_answer_accepted",
        "Referral Made": "referral_made",
    },
    "co-creation": {
        "Idea Submitted": "idea_submitted",
        "Idea Status Changed": "idea_status_changed",
        "Beta Joined": "beta_joined",
        "Product Reviewed": "product_reviewed",
    },
    "consent": {"Consent Updated": "consent_updated"},
    "ours, outgoing": {
        "Message Sent": "message_sent",
        "Message Held": "message_held",
        "Message Suppressed": "message_suppressed",
        "Message Failed": "message_failed",
    },
}
"""Every name that ships, spelled out."""

SAID = {
    "Report Exported": Meaning(use=False),
    "Dashboard Shared": Meaning("dashboard_shared"),
    "Plan Booked": Meaning("subscription_started"),
    "Signed In": Meaning("session_begun", use=False),
    "Payment Failed": Meaning("custom"),
}
BOOKED = [
    *ACCOUNTS,
    touchpoint("h1", 3.5, event="Plan Booked", user_id="ana", group_id="acme", properties={"seats": 9}),
    touchpoint("h2", 3.6, event="Plan Booked", anonymous_id="phone", group_id="acme", properties={"seats": 8}),
    touchpoint("h3", 9, event="Plan Booked", user_id="ana", properties={"seats": 7}),
    touchpoint("h4", 9.5, event="Payment Failed", anonymous_id="phone", group_id="globex", role="billing"),
    touchpoint("h5", 10, event="Payment Failed", user_id="caio", group_id="acme", role="billing"),
]
LENT = [
    *SHARED,
    touchpoint("i1", 1.5, event="Payment Failed", anonymous_id="tablet", group_id="acme", role="billing"),
    touchpoint("i2", 3.5, event="Plan Booked", anonymous_id="tablet", group_id="acme"),
    touchpoint("i3", 3.6, event="Payment Failed", anonymous_id="tablet", group_id="acme", role="billing"),
]


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


def test_every_name_that_ships_has_its_kind() -> None:
    assert dict(KINDS) == {name: kind for family in FAMILIES.values() for name, kind in family.items()}


def test_the_document_tells_every_name_that_ships() -> None:
    told = re.findall(
        r"^\| `([^`]+)` \| `([a-z_]+)` \|$", DOCUMENT[DOCUMENT.index("## Names that ship") :], re.MULTILINE
    )
    assert told == list(KINDS.items())
    assert f"at most {MOST_OWN_KINDS}, and gives at most {MOST_NAMES} names" in DOCUMENT


@pytest.mark.parametrize(
    ("type_", "event", "kind", "with_campaign"),
    [
        ("identify", None, "identified", "identified"),
        ("alias", None, "aliased", "aliased"),
        ("group", None, "grouped", "grouped"),
        ("page", None, "page_viewed", "campaign_touched"),
        ("screen", None, "screen_viewed", "campaign_touched"),
        ("track", "Install Attributed", "install_attributed", "campaign_touched"),
        ("track", "Deep Link Opened", "deep_link_opened", "campaign_touched"),
        ("track", "Promotion Clicked", "promotion_clicked", "campaign_touched"),
        ("track", "Order Completed", "purchased", "purchased"),
        ("track", "order completed", "custom", "custom"),
        ("track", "Report Exported", "custom", "custom"),
        ("page", "Order Completed", "page_viewed", "campaign_touched"),
    ],
)
def test_a_call_has_its_kind_and_only_some_become_campaign_touched(
    type_: Any, event: str | None, kind: str, with_campaign: str
) -> None:
    assert SHIPPED.kind_of(type_, event, False) == kind
    assert SHIPPED.kind_of(type_, event, True) == with_campaign


@pytest.mark.parametrize(
    ("event", "meaning", "value", "features"),
    [
        ("Report Exported", None, "use", ["Report Exported"]),
        ("Report Exported", Meaning(use=False), None, []),
        ("Report Exported", Meaning("feature_used"), "use", ["Report Exported"]),
        ("Report Exported", Meaning("report_exported"), "use", ["Report Exported"]),
        ("Report Exported", Meaning("report_exported", use=False), None, []),
        ("Report Exported", Meaning("purchased"), "purchased", []),
        ("Report Exported", Meaning("help_article_viewed"), None, []),
        ("Signed In", None, "use", []),
        ("Signed In", Meaning(use=False), None, []),
        ("Application Opened", None, "app_opened", []),
        ("Support Ticket Created", None, None, []),
    ],
)
def test_what_counts_as_use_is_said_by_the_name_and_the_source(
    event: str, meaning: Meaning | None, value: str | None, features: list[str]
) -> None:
    spoken = Vocabulary({} if meaning is None else {event: meaning}, 1)
    for role in ("product", "import", "billing", "support", "messaging"):
        reading = read(touchpoint("m1", event=event, user_id="ana", role=role), spoken)
        acts = role in {"product", "import"}
        assert reading.value == (value if acts else None)
        assert list(folding.single(reading).features) == (features if acts else [])


def test_every_flaw_is_told() -> None:
    wrong = {
        "": Meaning(),
        "x" * (LONGEST_NAME + 1): Meaning(),
        "NUL\x00": Meaning(),
        "A": Meaning("Report"),
        "B": Meaning("grouped"),
        "C": Meaning("campaign_touched"),
        "D": Meaning("x" * 61),
        "E": Meaning("purchased", use=False),
        "F": Meaning("report_exported"),
    }
    assert [name for name, _ in flaws(wrong)] == list(wrong)[:7]
    assert flaws({f"N{n}": Meaning(use=False) for n in range(MOST_NAMES)}) == []
    assert [name for name, _ in flaws({f"N{n}": Meaning(use=False) for n in range(MOST_NAMES + 1)})] == [""]
    assert flaws({f"N{n}": Meaning(f"k{n}") for n in range(MOST_OWN_KINDS)}) == []
    assert [name for name, _ in flaws({f"N{n}": Meaning(f"k{n}") for n in range(MOST_OWN_KINDS + 1)})] == [""]


_MEANINGS = st.dictionaries(
    st.sampled_from(["Report Exported", "Order Completed", "Signed In", "X"]),
    st.builds(Meaning, st.sampled_from([None, "x_done", "purchased", "feature_used", "ticket_opened"]), st.booleans()),
)


@given(_MEANINGS, st.sampled_from(["Report Exported", "Order Completed", "Signed In", "X", "Y"]))
def test_a_name_means_what_is_said_of_it_and_else_what_ships(meanings: dict[str, Meaning], event: str) -> None:
    spoken = Vocabulary(meanings, 1)
    said = meanings.get(event, Meaning())
    assert spoken.kind_of("track", event, False) == (said.kind or KINDS.get(event, "custom"))
    assert spoken.kind_of("track", event, False) in spoken.kinds()
    if not said.use:
        assert spoken.class_of("track", event, spoken.kind_of("track", event, False)) is None
    assert spoken.kinds() - ALL_KINDS == spoken.own_kinds() <= {"x_done"}


async def speak(folding_: Folding, meanings: Mapping[str, Meaning | None]) -> None:
    async with folding_.database.transaction([folding_.workspace]) as connection:
        await in_force.speak(connection, folding_.workspace, meanings, new_id(), folding_.clock.now())


async def outcome(
    database: Database, batches: Sequence[Sequence[Touchpoint]], named: Sequence[Identifier], said_after: int
) -> Any:
    """All that must be equal, what names mean being said after so many batches; before that, something else was."""
    folding_ = Folding(database, now=at(60))
    await speak(
        folding_, {"Report Exported": Meaning("subscription_started"), "Plan Booked": Meaning("payment_failed")}
    )
    for number, batch in enumerate(batches):
        if number == said_after:
            await speak(folding_, {**SAID})
        await folding_.fold(*batch)
    if said_after >= len(batches):
        await folding_.everything(named)
        await speak(folding_, {**SAID})
    return await folding_.everything(named)


@pytest.mark.parametrize("story", [LATE_ALIAS, BOOKED, LENT], ids=["late_alias", "booked", "lent"])
async def test_names_mean_what_is_said_whenever_it_is_said(database: Database, story: list[Touchpoint]) -> None:
    named = identifiers_of(story)
    in_order = await outcome(database, [story], named, 0)
    assert await outcome(database, [story], named, 1) == in_order
    for seed in range(6):
        batches = shuffled(story, seed)
        assert await outcome(database, batches, named, seed * len(batches) // 5) == in_order, f"seed {seed}"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), said_after=st.integers(0, 12))
async def test_any_order_and_any_moment_of_saying_it_gives_the_same(
    database: Database, seed: int, said_after: int
) -> None:
    named = identifiers_of(BOOKED)
    plain = await outcome(database, [BOOKED], named, 0)
    assert await outcome(database, shuffled(BOOKED, seed), named, said_after) == plain


async def test_a_meaning_taken_back_leaves_no_trace(database: Database) -> None:
    named = identifiers_of(BOOKED)
    plain, folding_ = Folding(database, now=at(60)), Folding(database, now=at(60))
    await plain.fold(*BOOKED)
    await speak(folding_, {**SAID})
    await folding_.fold(*BOOKED)
    await folding_.everything(named)
    await speak(folding_, dict.fromkeys(SAID))
    assert await folding_.everything(named) == await plain.everything(named)


async def test_who_is_left_with_nothing_is_published_so_and_may_get_it_back(database: Database) -> None:
    folding_ = Folding(database, now=at(60))
    booked = {"properties": {"seats": 9}, "context": {"traits": {"email": "ana@example.com"}}}
    await folding_.fold(
        touchpoint("m1", 1, event="Plan Booked", anonymous_id="phone", group_id="acme", **booked),
        touchpoint("m2", 2, event="Plan Booked", anonymous_id="desk", source="jornada", role="messaging"),
    )
    before, silent = await folding_.told("anonymous_id", "phone"), await folding_.id_of("anonymous_id", "desk")
    assert before is not None
    assert silent is not None
    await speak(folding_, {"Plan Booked": Meaning("subscription_started")})
    await folding_.refolder.work()
    left = folding_.topic.last(before.subject_id)
    assert isinstance(left, JourneySnapshot)
    assert (left.touchpoints, left.traits, left.measures, left.segments) == (0, {}, Measures(), [])
    assert left.identifiers == before.identifiers
    assert left.version > before.version
    assert await folding_.told("anonymous_id", "phone") is None
    assert not any(record.key.endswith(str(silent).encode()) for record in folding_.topic.records)
    async with database.transaction([folding_.workspace]) as connection:
        listed = await portraits.listed(connection, folding_.workspace, portraits.Filter("customer"), 9, None)
        stored = await portraits.subjects_after(connection, folding_.workspace, 9, None)
    assert listed == []
    assert before.subject_id not in [id_ for id_, _ in stored]
    await speak(folding_, {"Plan Booked": None})
    await folding_.refolder.work()
    back = folding_.topic.last(before.subject_id)
    assert isinstance(back, JourneySnapshot)
    assert (back.touchpoints, back.traits, back.first_seen_at) == (1, {"email": "ana@example.com"}, at(1))
    assert back.version > left.version


async def test_a_stale_share_of_an_accounts_own_is_told_whole_again(database: Database) -> None:
    folding_ = Folding(database, now=at(60))
    first = touchpoint("m1", 1, event="Subscription Started", group_id="acme", role="billing", properties={"seats": 3})
    await folding_.fold(first)
    async with database.transaction([folding_.workspace]) as connection:
        await connection.execute("update account_shares set share = '[1,[]]'")
    await folding_.fold(touchpoint("m2", 2, event="Payment Failed", group_id="acme", role="billing"))
    await folding_.refolder.work()
    told = await folding_.told("account", "acme")
    assert told is not None
    assert told.touchpoints == 2
    assert told.measures.billing is not None
    assert told.measures.billing.seats == 3


async def test_a_touchpoint_given_to_an_account_is_its_devices_no_longer(database: Database) -> None:
    folding_ = Folding(database, now=at(60))
    await folding_.fold(
        touchpoint("m1", 1, event="Plan Booked", anonymous_id="phone", group_id="acme"),
        touchpoint("m2", 2, event="Signed In", anonymous_id="phone"),
    )
    assert await devices(folding_) == {"m1": "phone", "m2": "phone"}
    await speak(folding_, {"Plan Booked": Meaning("subscription_started")})
    await folding_.everything([])
    assert await devices(folding_) == {"m1": None, "m2": "phone"}
    await speak(folding_, {"Plan Booked": None})
    await folding_.everything([])
    assert await devices(folding_) == {"m1": "phone", "m2": "phone"}


async def devices(folding_: Folding) -> dict[str, str | None]:
    """By which device each stored touchpoint is found."""
    async with folding_.database.transaction([folding_.workspace]) as connection:
        rows = await connection.fetch("select message_id, device from touchpoints")
    return {row["message_id"]: row["device"] for row in rows}


async def test_a_condition_may_ask_for_a_kind_of_ones_own_and_holds_it(database: Database) -> None:
    folding_ = Folding(database, now=at(5))
    await speak(folding_, {"Report Exported": Meaning("report_exported")})
    condition = {"count": "report_exported", "within": "7 days", "at_least": 2}
    text = in_force.text_of(parse(condition, terms(frozenset({"report_exported"}))))
    async with database.transaction([folding_.workspace]) as connection:
        await in_force.define(connection, folding_.workspace, "segment", "exporters", text, at(0))
    await folding_.fold(*(touchpoint(f"m{n}", n, event="Report Exported", user_id="ana") for n in range(3)))
    told = await folding_.told("user_id", "ana")
    assert told is not None
    assert [(each.name, each.entered_at) for each in told.segments] == [("exporters", at(1))]
    async with database.transaction([folding_.workspace]) as connection:
        assert await in_force.lost_without(connection, folding_.workspace, ALL_KINDS) == ["segments/exporters"]


async def test_pages_of_a_kind_neither_skip_nor_repeat(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_LOOKED_AT", 10)
    folding_ = Folding(database)
    told = [
        touchpoint(f"m{n:03}", n / 10, event="Signed In" if n % 7 == 0 else "Report Exported", user_id="ana")
        for n in range(64)
    ]
    await folding_.fold(*told)
    id_ = await folding_.id_of("user_id", "ana")
    assert id_ is not None
    found, before = [], None
    for _ in range(40):
        async with database.transaction([folding_.workspace]) as connection:
            page = await paths.page(connection, folding_.workspace, id_, paths.Path(2, kind="signed_in", before=before))
        found += [reading.touchpoint.message_id for reading, _ in page.steps]
        assert len(page.steps) <= 2
        before = page.next
        if before is None:
            break
    assert found == [f"m{n:03}" for n in range(63, -1, -7)]


async def test_what_the_release_before_stores_is_read(database: Database) -> None:
    folding_ = Folding(database)
    await folding_.fold(touchpoint("m1", 1, event="Signed In", user_id="ana"))
    older = touchpoint("m2", 2, event="Report Exported", user_id="ana", workspace=folding_.workspace)
    async with database.transaction([folding_.workspace]) as connection:
        await connection.execute(
            """insert into touchpoints (workspace, owner, occurred_at, message_id, source, kind, user_id, record)
               select workspace, owner, $2, 'm2', source, 'signed_in', user_id, $3 from touchpoints
               where workspace = $1""",
            folding_.workspace,
            at(2),
            encode(older),
        )
        id_ = await portraits.find(connection, folding_.workspace, Reference(None, "user_id", "ana"))
        assert id_ is not None
        page = await paths.page(connection, folding_.workspace, id_, paths.Path(9))
    assert [reading.kind for reading, _ in page.steps] == ["custom", "signed_in"]
