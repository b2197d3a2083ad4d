"""The story as events in Segment's form: a dated past, and what happens now."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.console.story.cast import ACCOUNTS, RED, Account, Person

Event = dict[str, Any]

WITNESS = "emma"
"""Whose first day tells when the story was first told."""
PRODUCT, BILLING, SUPPORT = "story", "story-billing", "story-support"
ROLES = {BILLING: "billing", SUPPORT: "support", PRODUCT: "product"}
"""The story's sources and their roles, in the order in which they send; removing them removes the story."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event and the source that sends it. `live`: it happens now, and so carries no timestamp of its own."""

    source: str
    live: bool
    event: Event


def story(now: datetime, first_told: datetime | None = None) -> list[Line]:
    """The whole story, the past first. Only days count: told twice on one UTC day it is the same.

    Where it was told before, `first_told` (any instant of that day) keeps the past where it lay: every `messageId` then
    stands for the same event again, and only what happens now is new.
    """
    past = [line for account in ACCOUNTS for line in _past(account, _midnight(first_told or now))]
    return [*past, *_today(_midnight(now))]


def first_told(seen_at: datetime) -> datetime:
    """The day on which the story was first told, from the day on which its witness was first seen."""
    return seen_at + timedelta(days=people()[WITNESS][1].signed_up)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def touchpoints_of(lines: Iterable[Line], person: Person) -> int:
    """How many of the lines are on that person's path."""
    ids = (person.user_id, f"{person.user_id}-browser")
    return sum(1 for line in lines if line.event.get("userId", line.event.get("anonymousId")) in ids)


def people() -> dict[str, tuple[Account, Person]]:
    """Everybody by their key."""
    return {person.key: (account, person) for account in ACCOUNTS for person in account.people}


def _past(account: Account, today: datetime) -> Iterator[Line]:
    contract = {
        "plan": account.plan,
        "seats": account.seats,
        "mrr": account.mrr,
        "currency": account.currency,
        "renewal_at": _stamp(today + timedelta(days=account.renews_in)),
        "auto_renew": True,
    }
    started, payer = account.began - 1, account.people[0]
    begins = _of_account(account, "Subscription Started", contract)
    yield _line(BILLING, today, started, f"{account.key}-contract", begins)
    # Whoever pays has the contract on their own journey too: its troubles are theirs.
    yield _line(
        BILLING, today, payer.signed_up, f"{payer.key}-contract", _paid_by(payer, "Subscription Started", contract)
    )
    for person in account.people:
        yield from _life(account, person, today)


def _life(account: Account, person: Person, today: datetime) -> Iterator[Line]:
    """Everything one person did, in order of kinds; the order of events is journey's business."""
    joined, key = person.signed_up, person.key
    yield _line(PRODUCT, today, joined, f"{key}-visit", _visit(person))
    yield _line(PRODUCT, today, joined, f"{key}-identify", _identify(account, person), minutes=4)
    yield _line(PRODUCT, today, joined, f"{key}-group", _group(account, person), minutes=5)
    yield _line(
        PRODUCT, today, joined, f"{key}-signup", _track(account, person, "Signed Up", {"plan": account.plan}), minutes=6
    )
    if person.consent is not None:
        yield from _consents(account, person, today)
    for days in person.trained:
        training = {"course_id": f"course-{days % 7}"}
        yield _line(
            PRODUCT,
            today,
            days,
            f"{key}-training-{days}",
            _track(account, person, "Training Completed", training),
            minutes=40,
        )
    for turn, days in enumerate(person.uses):
        for part in range(1 + turn % 2):
            feature = person.features[(turn + part) % len(person.features)]
            event = _track(account, person, feature, {"items": 1 + (turn * 7 + part) % 9})
            yield _line(PRODUCT, today, days, f"{key}-use-{days}-{part}", event, minutes=90 + 11 * part)
    if person.nps is not None:
        days, score = person.nps
        answer = {"survey_type": "nps", "score": score, "scale_min": 0, "scale_max": 10}
        yield _line(
            PRODUCT, today, days, f"{key}-nps", _track(account, person, "Survey Responded", answer), minutes=200
        )
    for opened, resolved, severity in person.tickets:
        ticket = {"ticket_id": f"{person.user_id}-{opened}", "severity": severity, "category": "technical"}
        yield _line(
            SUPPORT, today, opened, f"{key}-ticket-{opened}", _track(account, person, "Support Ticket Created", ticket)
        )
        if resolved is not None:
            done = {**ticket, "resolution_seconds": (opened - resolved) * 86_400}
            yield _line(
                SUPPORT,
                today,
                resolved,
                f"{key}-resolved-{opened}",
                _track(account, person, "Support Ticket Resolved", done),
            )


def _consents(account: Account, person: Person, today: datetime) -> Iterator[Line]:
    given = {"channel": "email", "purpose": "marketing", "status": "granted"}
    yield _line(
        PRODUCT,
        today,
        person.signed_up,
        f"{person.key}-consent",
        _track(account, person, "Consent Updated", given),
        minutes=7,
    )
    if person.consent != "granted":
        changed = {**given, "status": person.consent}
        yield _line(
            PRODUCT,
            today,
            30,
            f"{person.key}-consent-2",
            _track(account, person, "Consent Updated", changed),
            minutes=7,
        )


def _today(today: datetime) -> Iterator[Line]:
    """What happens now: some go on working; for three of them something breaks."""
    cast, day = people(), f"{today:%Y%m%d}"
    for key, feature in (
        ("emma", "Report Exported"),
        ("oliver", "Invoice Sent"),
        ("grace", "Dashboard Shared"),
        ("noah", "Invoice Sent"),
    ):
        account, person = cast[key]
        yield _live(PRODUCT, f"{key}-now-{day}", _track(account, person, feature, {"items": 3}))
    for key in (RED, "james", "tom"):
        account, person = cast[key]
        ticket = {
            "ticket_id": f"{person.user_id}-{day}",
            "severity": 1,
            "category": "technical",
            "topic": "Invoices are not delivered",
        }
        yield _live(SUPPORT, f"{key}-broken-{day}", _track(account, person, "Support Ticket Created", ticket))
        unpaid = {"plan": account.plan, "mrr": account.mrr, "currency": account.currency, "reason": "card_declined"}
        yield _live(BILLING, f"{key}-unpaid-{day}", _paid_by(person, "Payment Failed", unpaid))
        yield _live(BILLING, f"{account.key}-unpaid-{day}", _of_account(account, "Payment Failed", unpaid))


def _identify(account: Account, person: Person) -> Event:
    traits = {
        "firstName": person.first,
        "lastName": person.last,
        "name": f"{person.first} {person.last}",
        "email": f"{person.key}@{account.domain}",
        "locale": person.locale,
        "timezone": person.timezone,
        "role_in_account": person.role,
    }
    return {"type": "identify", "userId": person.user_id, "anonymousId": f"{person.user_id}-browser", "traits": traits}


def _group(account: Account, person: Person) -> Event:
    traits = {"name": account.name, "industry": account.industry, "plan": account.plan, "seats": account.seats}
    return {"type": "group", "userId": person.user_id, "groupId": account.group_id, "traits": traits}


def _visit(person: Person) -> Event:
    campaign = {"source": "newsletter", "medium": "email", "name": "small-business-week"}
    return {
        "type": "page",
        "name": "Pricing",
        "anonymousId": f"{person.user_id}-browser",
        "properties": {"path": "/pricing", "title": "Pricing"},
        "context": {"campaign": campaign, "page": {"path": "/pricing"}},
    }


def _track(account: Account, person: Person, name: str, properties: Mapping[str, object]) -> Event:
    return {
        "type": "track",
        "event": name,
        "userId": person.user_id,
        "properties": properties,
        "context": {"groupId": account.group_id},
    }


def _paid_by(person: Person, name: str, properties: Mapping[str, object]) -> Event:
    return {"type": "track", "event": name, "userId": person.user_id, "properties": properties}


def _of_account(account: Account, name: str, properties: Mapping[str, object]) -> Event:
    return {"type": "track", "event": name, "properties": properties, "context": {"groupId": account.group_id}}


def _line(source: str, today: datetime, days: int, key: str, event: Event, *, minutes: int = 0) -> Line:
    at = today - timedelta(days=days) + timedelta(hours=14, minutes=minutes)
    return Line(source, False, {**event, "messageId": f"story-{key}", "timestamp": _stamp(at)})


def _live(source: str, key: str, event: Event) -> Line:
    return Line(source, True, {**event, "messageId": f"story-{key}"})


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
