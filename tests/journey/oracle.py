"""What the journeys of a set of accepted events are, told once more from the contract: no join, no store, no order."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

from jornada.events import Touchpoint
from services.journey.domain.rules import SUBSCRIPTION, RuleSet
from tests.journey import naive_identity
from tests.journey.makes import BEGIN
from tests.journey.naive import Told, walked
from tests.journey.naive_identity import Known, Name, When

AMBIGUOUS = "ambiguous"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_SESSION = timedelta(minutes=30) // timedelta(microseconds=1)
_ACTING = {"product", "import"}
_USE = {
    "feature_used": "use",
    "custom": "use",
    "signed_in": "use",
    "purchased": "purchased",
    "app_opened": "app_opened",
}
_CALLS = {"identify": "identified", "alias": "aliased", "group": "grouped", "page": "page_viewed", "screen": "screen_viewed"}  # fmt: skip  # noqa: E501
_CAMPAIGNED = {"page_viewed", "screen_viewed", "deep_link_opened"}
_KINDS = {
    "Signed Up": "signed_up", "Account Created": "signed_up", "Signed In": "signed_in",
    "Account Deleted": "account_deleted", "Trial Started": "trial_started",
    "Trial Ended": "trial_ended", "Order Completed": "purchased",
    "Order Refunded": "refunded", "Product Viewed": "product_viewed", "Product Added": "cart_changed",
    "Application Opened": "app_opened", "Feature Used": "feature_used", "Survey Responded": "survey_responded",
    "Referral Made": "referral_made", "Training Completed": "training_completed",
    "Training Started": "training_started", "Onboarding Step Completed": "onboarding_step_completed",
    "Email Opened": "message_opened", "Consent Updated": "consent_updated", "Deep Link Opened": "deep_link_opened",
    "Live Chat Message Sent": "chat_message_sent", "Live Chat Message Received": "chat_message_received",
    "Feedback Answered": "feedback_answered", "Support Ticket Replied": "ticket_replied",
    "Unsubscribed": "unsubscribed", "Message Sent": "message_sent",
    "Subscription Started": "subscription_started", "Subscription Renewed": "subscription_renewed",
    "Subscription Upgraded": "subscription_upgraded", "Subscription Cancelled": "subscription_cancelled",
    "Payment Failed": "payment_failed", "Payment Recovered": "payment_recovered",
    "Invoice Overdue": "invoice_overdue", "Support Ticket Created": "ticket_opened",
    "Support Ticket Resolved": "ticket_resolved", "Support Ticket Reopened": "ticket_reopened",
    "Contact Logged": "contact_logged", "Community Post Created": "community_post_created",
    "Idea Submitted": "idea_submitted",
}  # fmt: skip
_TYPES = ["personal_assistance", "dedicated", "self_service", "automated", "community", "co_creation"]
_TYPED = {"community_post_created": "community", "idea_submitted": "co_creation"}
_BILLING = ("subscription_", "payment_", "invoice_")


class Event(NamedTuple):
    """An accepted event, opened."""

    us: int
    message_id: str
    source: str
    told: Touchpoint
    kind: str
    value: str | None
    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    ours: bool
    account: str | None

    @property
    def when(self) -> When:
        return self.us, self.message_id, self.source

    @property
    def email(self) -> str | None:
        given = self.traits.get("email") if self.told.type == "identify" and not self.ours else None
        return given.strip().lower() if isinstance(given, str) else None

    @property
    def speaker(self) -> Name:
        return ("user_id", self.told.user_id) if self.told.user_id else ("anonymous_id", self.told.anonymous_id or "")

    @property
    def devices(self) -> list[str]:
        """The devices of which it says that they are its user's."""
        previous = self.told.previous_id if self.told.type == "alias" else None
        given = (self.told.anonymous_id, previous) if self.told.user_id and not self.ours else ()
        return [device for device in given if device]


def opened(told: Touchpoint) -> Event:
    """Reads an event."""
    body = json.loads(bytes(told.body), parse_float=Decimal)
    context, properties, traits = (body.get(name) or {} for name in ("context", "properties", "traits"))
    kind = _CALLS.get(told.type) or _KINDS.get(told.event or "", "custom")
    kind = "campaign_touched" if kind in _CAMPAIGNED and context.get("campaign") else kind
    alone = told.user_id is None and told.anonymous_id is None
    return Event(
        us=(told.occurred_at - _EPOCH) // timedelta(microseconds=1),
        message_id=told.message_id,
        source=told.source,
        told=told,
        kind=kind,
        value=_USE.get(kind) if told.role in _ACTING else None,
        properties=properties,
        traits={**context.get("traits", {}), **(traits if told.type == "identify" else {})},
        ours=told.source == "jornada",
        account=told.group_id if alone or kind.startswith(_BILLING) else None,
    )


def expected(accepted: Iterable[Touchpoint], as_of: datetime, rules: RuleSet = SUBSCRIPTION) -> dict[str, Any]:
    """By identifier the journey that it names as of an instant after all events, or None, or AMBIGUOUS."""
    events = sorted(map(opened, accepted), key=lambda each: each.when)
    answers: dict[str, Any] = {}
    own: dict[str, list[Event]] = defaultdict(list)
    shares: dict[str, list[list[Event]]] = defaultdict(list)
    for island in _islands(events):
        people, names = _people(island)
        journeys = {who: _customer(who, theirs, as_of, rules) for who, theirs in people.items()}
        for name, who in names.items():
            answers[":".join(name)] = journeys.get(who) if isinstance(who, frozenset) else who
        for theirs in people.values():
            for account, share in _shares(theirs).items():
                shares[account].append(share)
    for event in events:
        if event.account is not None:
            own[event.account].append(event)
    for account in own.keys() | shares.keys():
        answers[f"account:{account}"] = _account(account, own[account], shares[account], rules)
    return answers


def _names(event: Event) -> set[Name]:
    """Whom an event names, presumed user ids of aliases included."""
    told = event.told
    found = {("user_id", told.user_id), ("anonymous_id", told.anonymous_id), ("email", event.email)}
    if told.type == "alias":
        found |= {("anonymous_id", told.previous_id), ("user_id", told.previous_id)}
    return {(type_, value) for type_, value in found if value}


def _islands(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Events that name nobody in common, not even by others between them, have nothing to do with each other."""
    island_of: dict[Name, list[Event]] = {}
    members: dict[int, set[Name]] = {}
    for event in events:
        merged: list[Event] = []
        named = _names(event)
        for island in {id(island_of[name]): island_of[name] for name in named if name in island_of}.values():
            merged += island
            named |= members.pop(id(island))
        merged.append(event)
        members[id(merged)] = named
        island_of.update(dict.fromkeys(named, merged))
    for island in {id(each): each for each in island_of.values()}.values():
        yield sorted(island, key=lambda each: each.when)


Person = frozenset[Name]


def _people(island: Sequence[Event]) -> tuple[dict[Person, list[Event]], dict[Name, Person | str | None]]:
    """The touchpoints of each customer of an island, and whom each identifier of it names."""
    carried = {("user_id", event.told.user_id) for event in island}
    names = sorted({name for event in island for name in _names(event) if name[0] != "user_id" or name in carried})
    facts = [(device, event.told.user_id or "", event.when) for event in island for device in event.devices]
    aliases = [event.told for event in island if event.told.type == "alias"]
    joins = [
        (("user_id", each.previous_id or ""), ("user_id", each.user_id or ""))
        for each in aliases
        if ("user_id", each.previous_id) in carried
    ]
    said = [(event.email, event.speaker, event.when) for event in island if event.email]
    judged = naive_identity.told(Known(names, facts, joins, said))
    part = {name: who for who in judged.customers for name in who}
    turns: dict[str, list[tuple[int, str, str, str]]] = defaultdict(list)
    for device, user, when in sorted(facts, key=lambda fact: fact[2]):
        turns[device].append((*when, user))

    def whose(name: Name, us: int) -> Person:
        if name in part:
            return part[name]
        until = [turn for turn in turns[name[1]] if turn[0] <= us]
        return part["user_id", (until[-1] if until else turns[name[1]][0])[3]]

    people: dict[Person, list[Event]] = defaultdict(list)
    for event in island:
        if event.account is None:
            people[whose(event.speaker, event.us)].append(event)
    answers: dict[Name, Person | str | None] = {}
    for name in names:
        if name in judged.ambiguous:
            answers[name] = AMBIGUOUS
        elif name in part or name[0] == "anonymous_id":
            answers[name] = whose(name, 1 << 62)
        else:
            answers[name] = None
    return people, answers


def _shares(theirs: Sequence[Event]) -> dict[str, list[Event]]:
    """A customer's touchpoints by the account for which each counts."""
    grouped = [each for each in theirs if each.told.type == "group" and not each.ours]
    shares: dict[str, list[Event]] = defaultdict(list)
    for event in theirs if grouped else ():
        until = [each for each in grouped if each.us <= event.us]
        shares[(until[-1] if until else grouped[0]).told.group_id or ""].append(event)
    return shares


def _customer(who: Person, theirs: Sequence[Event], as_of: datetime, rules: RuleSet) -> dict[str, Any] | None:
    counted = [event for event in theirs if not event.ours]
    if not counted:
        return None
    grouped = [event.told.group_id for event in counted if event.told.type == "group"]
    days = sorted({event.us // _DAY for event in counted if event.value in rules.value_classes})
    last = max((event.us for event in counted if event.value in rules.value_classes), default=None)
    return _sums(counted) | {
        "identifiers": sorted(":".join(name) for name in who),
        "path": [[event.message_id, event.source] for event in theirs],
        "sessions": _sessions(counted),
        "stages": _stages(counted, as_of, rules),
        "use": None if last is None else [len(days), last, *_gaps(days, rules)],
        "traits": _traits(counted),
        "tickets": _tickets(counted),
        "trial": _trial(counted, counted),
        "contract": _contract(counted),
        "rules_base": rules.base,
        "relationships": relationships(counted),
        "owner": _traits(counted).get("owner"),
        "account": grouped[-1] if grouped else None,
    }


def _account(
    account: str, own: Sequence[Event], shares: Sequence[Sequence[Event]], rules: RuleSet
) -> dict[str, Any] | None:
    counted = sorted((each for part in (own, *shares) for each in part if not each.ours), key=lambda each: each.when)
    if not counted:
        return None
    return _sums(counted) | {
        "identifiers": [f"account:{account}"],
        "people": len(shares),
        "people_by_day": _by_day(shares, rules),
        "trial": _trial(counted, own),
        "contract": _contract([event for event in own if not event.ours]),
        "rules_base": rules.base,
    }


def _by_day(people: Sequence[Sequence[Event]], rules: RuleSet) -> list[list[int]]:
    """How many people acted last on which day: of the newest 60 days."""
    acts = [[event.us // _DAY for event in theirs if event.value in rules.value_classes] for theirs in people]
    last = [max(days) for days in acts if days]
    return [[day, last.count(day)] for day in sorted(set(last))][-60:]


def _sums(counted: Sequence[Event]) -> dict[str, Any]:
    """What both customers and accounts count."""
    kinds = Counter(event.kind for event in counted)
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    for event in counted:
        if event.kind == "purchased":
            revenue[event.properties["currency"].upper()] += Decimal(event.properties["revenue"])
    return {
        "touchpoints": len(counted),
        "seen": [counted[0].us, counted[-1].us],
        "kinds": {kind: [kinds[kind], max(each.us for each in counted if each.kind == kind)] for kind in sorted(kinds)},
        "revenue": {currency: str(amount.normalize()) for currency, amount in sorted(revenue.items())},
        "feedback": _feedback([event for event in counted if event.kind == "survey_responded"]),
        "contacts": [_spoken(counted, *ways) for ways in _WAYS],
    }


_WAYS = (
    ("inbound", "chat_message_sent", "survey_responded", "ticket_opened", "ticket_reopened"),
    ("outbound", "chat_message_received", "feedback_answered", "ticket_replied"),
)


def _spoken(counted: Sequence[Event], direction: str, *kinds: str) -> int | None:
    """When somebody last spoke in a direction."""
    logged = [
        each.us for each in counted if each.kind == "contact_logged" and each.properties.get("direction") == direction
    ]
    return max([*logged, *(each.us for each in counted if each.kind in kinds)], default=None)


def _contract(counted: Sequence[Event]) -> list[Any]:
    """Whether it was last said to renew by itself, and when it began."""
    said = [each.properties.get("auto_renew") for each in counted if each.kind.startswith(_BILLING)]
    begun: int | None = None
    ends: float = 0
    for event in counted:
        runs = begun is not None and ends > event.us
        if event.kind in {"subscription_started", "subscription_renewed"}:
            begun = begun if runs else event.us
            fixed = event.properties.get("auto_renew") is False and "renewal_at" in event.properties
            ends = _us(event.properties["renewal_at"]) if fixed else inf
            ends = ends if ends > event.us else inf
        elif event.kind == "subscription_cancelled" and runs:
            ends = max(event.us, _us(event.properties.get("effective_at", event.told.occurred_at.isoformat())))
    return [next((each for each in reversed(said) if isinstance(each, bool)), None), begun]


def _us(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _feedback(answers: Sequence[Event]) -> list[str]:
    """The mean level of all answers, each weighing half after every 30 days, and what they weigh as of the last."""
    scales = {"nps": (0, 10), "csat": (1, 5)}
    levels = []
    for each in answers:
        least, most = scales[each.properties["survey_type"]]
        if least <= each.properties["score"] <= most:
            levels.append((each.us // 10**6, (each.properties["score"] - least) / (most - least)))
    weights = [2 ** ((second - levels[-1][0]) / (30 * 86_400)) for second, _ in levels]
    mean = sum(weight * level for weight, (_, level) in zip(weights, levels, strict=True)) / (sum(weights) or 1)
    return [f"{mean:.6g}", f"{sum(weights):.6g}"] if levels else []


def _sessions(counted: Sequence[Event]) -> list[list[str]]:
    sessions = [[counted[0].message_id]]
    for before, event in pairwise(counted):
        if event.us - before.us > _SESSION:
            sessions.append([])
        sessions[-1].append(event.message_id)
    return sessions


def _gaps(days: Sequence[int], rules: RuleSet) -> list[Any]:
    """The own gap, of how many it is taken, the rule set's, and their mean."""
    gaps = sorted([later - earlier for earlier, later in pairwise(days)][-20:])
    own = gaps[-(-9 * len(gaps) // 10) - 1] if len(gaps) >= 4 else rules.expected_gap_days
    return [own, len(gaps), rules.expected_gap_days, float(f"{sum(gaps) / len(gaps):.9g}") if gaps else None]


def _traits(counted: Sequence[Event]) -> dict[str, Any]:
    latest: dict[str, Any] = {}
    for event in counted:
        latest.update(event.traits)
    return {name: value for name, value in sorted(latest.items()) if value is not None}


def _tickets(counted: Sequence[Event]) -> list[Any]:
    """How many there ever were, and the open ones."""
    told = [(str(each.properties["ticket_id"]), each.kind) for each in counted if each.kind.startswith("ticket_")]
    standing = {name: kind for name, kind in told if kind != "ticket_replied"}
    return [len(dict(told)), sorted(name for name, kind in standing.items() if kind != "ticket_resolved")]


def _trial(counted: Sequence[Event], contract: Sequence[Event]) -> list[int | None]:
    """When the latest trial began and ends: as was said last, or when the next contract came, if it came before."""
    said = [event for event in counted if event.kind.startswith("trial_")]
    begins = max((event.us for event in said if event.kind == "trial_started"), default=None)
    ends = None
    if said and said[-1].kind == "trial_ended":
        ends = said[-1].us
    elif said and "trial_ends_at" in said[-1].properties:
        ends = _us(said[-1].properties["trial_ends_at"])
    signed = {"subscription_started", "subscription_renewed"}
    ending = [event.us for event in contract if begins is not None and event.kind in signed and event.us > begins]
    return [begins, min([*ending, *([] if ends is None else [ends])], default=None)]


def relationships(counted: Iterable[Event]) -> list[list[Any]]:
    """The types that stand, in order, each with when what says so said so first, and what."""
    first: dict[tuple[str, str], int] = {}
    standing: set[tuple[str, str]] = set()
    for event in counted:
        said = [(_TYPED[event.kind], event.kind)] if event.kind in _TYPED else []
        if event.kind == "contact_logged":
            said.append((event.properties.get("relationship_type", ""), event.kind))
        if "relationship_types" in event.traits:
            named = event.traits["relationship_types"]
            named = named if isinstance(named, list) else [named]
            once = {type_ for type_, source in first if source == "trait"}
            standing = {each for each in standing if each[0] in named or each[0] not in once}
            said += [(type_, "trait") for type_ in named]
        for each in said:
            if each[0] in _TYPES:
                first.setdefault(each, event.us)
                standing.add(each)
    since = {type_: min((first[each], each[1]) for each in standing if each[0] == type_) for type_, _ in standing}
    return [[type_, *since[type_]] for type_ in sorted(since)]


def _stages(counted: Sequence[Event], as_of: datetime, rules: RuleSet) -> list[list[Any]]:
    """The last 20, each with the microsecond at which it was entered."""
    life = [_told(place, event) for place, event in enumerate(counted)]
    entered = walked(rules, life, (as_of - BEGIN) / timedelta(days=1))
    begin = (BEGIN - _EPOCH) // timedelta(microseconds=1)
    return [[stage, begin + round(days * _DAY)] for stage, days in entered][-20:]


def _told(place: int, event: Event) -> Told:
    given = {
        name: (datetime.fromisoformat(event.properties[name]) - BEGIN) / timedelta(days=1)
        for name in ("effective_at", "renewal_at")
        if name in event.properties and (name == "effective_at" or event.properties.get("auto_renew") is False)
    }
    if event.kind == "survey_responded":
        given["score"] = event.properties["score"]
    promotes = event.kind != "survey_responded" or event.properties["survey_type"] == "nps"
    return Told(
        at=(event.told.occurred_at - BEGIN) / timedelta(days=1),
        place=place,
        event=(event.told.event or "") if promotes else "",
        given=given,
        value=event.value,
        known=event.told.user_id is not None or isinstance(event.traits.get("email"), str),
    )
