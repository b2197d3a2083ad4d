"""From a state to the snapshot that is published: where one subject stands at an instant."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from jornada.events import (
    Billing,
    Contacts,
    Counted,
    Decayed,
    DecayedMean,
    Feedback,
    Follows,
    Identifier,
    JourneySnapshot,
    Learning,
    Measures,
    Money,
    OpenTicket,
    Relationship,
    Stage,
    SubjectId,
    SubjectType,
    Support,
    Use,
    WorkspaceId,
)
from jornada.instants import instant, micros
from services.journey.domain import contracts, milestones, silences, stages
from services.journey.domain.decay import LADDER, decayed, quotient, standing, told
from services.journey.domain.parts import invoices, learning, relationships
from services.journey.domain.parts.surveys import Surveys
from services.journey.domain.parts.tickets import Ticket
from services.journey.domain.people import NOBODY, People
from services.journey.domain.reading import NANO, dated
from services.journey.domain.rules import RuleSet
from services.journey.domain.segments import Stays, memberships
from services.journey.domain.state import FOLD, MOST_FEATURES, State, value_days

_STAGES = 20
_TRAITS_BYTES = 32_768
_OPEN_TICKETS = 100


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Who a state is about, and what its touchpoints do not tell. `people` are an account's.

    `stays` are in segments and personas, as of the snapshot's instant; `milestones` the workspace's own, with when.
    """

    workspace: WorkspaceId
    type: SubjectType
    id: SubjectId
    identifiers: Sequence[Identifier]
    sessions: int
    account_id: SubjectId | None = None
    people: People = NOBODY
    stays: Stays = {}
    milestones: Mapping[str, int | None] = {}
    follows: Follows | None = None


def snapshot(
    state: State, standing: Standing, rules: RuleSet, as_of: datetime, version: int, entries: Sequence[stages.Entry]
) -> JourneySnapshot | None:
    """Where the subject stands at `as_of` (never before its last touchpoint); None while nothing of it counts.

    `entries` is the state's timeline under the same rules.
    """
    if state.first is None or state.last is None:
        return None
    at = max(as_of, instant(state.last[0]))
    past = stages.history(entries, at)
    return JourneySnapshot(
        workspace=standing.workspace,
        subject_type=standing.type,
        subject_id=standing.id,
        version=version,
        fold=FOLD,
        as_of=at,
        identifiers=sorted(standing.identifiers),
        stage=past[-1],
        stages=past[-_STAGES:],
        first_seen_at=instant(state.first[0]),
        last_seen_at=instant(state.last[0]),
        touchpoints=state.touchpoints,
        sessions=standing.sessions,
        rules=rules.name,
        rules_base=rules.base,
        measures=measures(state, rules, entries, standing.people, standing.milestones),
        traits=traits(state),
        account_id=standing.account_id,
        segments=memberships(standing.stays, "segment", lasting=True),
        personas=memberships(standing.stays, "persona", lasting=True),
        former_segments=memberships(standing.stays, "segment", lasting=False),
        former_personas=memberships(standing.stays, "persona", lasting=False),
        live_at=None if state.live is None else instant(state.live),
        history_at=None if state.history is None else instant(state.history),
        imported_at=None if state.imported is None else instant(state.imported),
        relationship_types=_relationships(state, standing.type),
        follows=standing.follows,
    )


def nothing_left(standing: Standing, rules: RuleSet, as_of: datetime, version: int) -> JourneySnapshot:
    """What is published over an earlier snapshot of whom nothing counts any more: who they are, and no touchpoints."""
    visitor = Stage(name="visitor", entered_at=as_of, rule="nothing_left")
    return JourneySnapshot(
        workspace=standing.workspace,
        subject_type=standing.type,
        subject_id=standing.id,
        version=version,
        fold=FOLD,
        as_of=as_of,
        identifiers=sorted(standing.identifiers),
        stage=visitor,
        stages=[visitor],
        first_seen_at=as_of,
        last_seen_at=as_of,
        touchpoints=0,
        sessions=0,
        rules=rules.name,
        rules_base=rules.base,
        measures=Measures(),
    )


def measures(
    state: State,
    rules: RuleSet,
    entries: Sequence[stages.Entry],
    people: People = NOBODY,
    own: Mapping[str, int | None] = {},
) -> Measures:
    """The numbers that the state adds up to; `own` are the workspace's own milestones, with when."""
    reached = milestones.reached(state, rules, entries, own)
    return Measures(
        use=use(state, rules),
        support=_support(state),
        billing=_billing(state),
        feedback=_feedback(state.surveys),
        learning=_learning(state.learning),
        contacts=_contacts(state),
        counts=_counts(state),
        milestones=milestones.told(reached),
        time_to_value_seconds=milestones.time_to_value(state, rules, reached.get("first_value")),
        trainings_completed=state.kinds["training_completed"][0] if "training_completed" in state.kinds else 0,
        consents={name: register[2] for name, register in state.consents.items()},
        revenue=[Money(_decimal(nanos), currency) for currency, nanos in sorted(state.revenue.items())],
        people=people.number,
        people_by_day=people.by_day,
    )


def use(state: State, rules: RuleSet) -> Use | None:
    """How the subject uses the product; None before the first act of use."""
    days = value_days(state, rules.value_classes)
    if not days:
        return None
    last = max(days)
    at = instant(days[last][2])
    gaps = silences.gaps_of(days)[-silences.MOST_GAPS :]
    return Use(
        last_value_at=at,
        value_days=len(days),
        own_gap_days=silences.own_gap(gaps, rules),
        gaps=len(gaps),
        expected_gap_days=rules.expected_gap_days,
        mean_gap_days=_mean(gaps),
        days_decayed=[Decayed(half_life, decayed(days, half_life, last), at) for half_life in LADDER],
        features={name: instant(us) for name, us in list(state.features.items())[:MOST_FEATURES]},
    )


def traits(state: State) -> dict[str, Any]:
    """The latest statement of each trait, the newest first to be kept within 32 KB; a null removed it."""
    kept: dict[str, Any] = {}
    size = 0
    for name, (_, _, text) in sorted(state.traits.items(), key=lambda item: (item[1], item[0]), reverse=True):
        size += len(name) + len(text)
        if text != "null" and size <= _TRAITS_BYTES:
            kept[name] = msgspec.json.decode(text)
    return kept


def _relationships(state: State, type_: SubjectType) -> list[Relationship]:
    """A customer's, by all that says so; an account's, as its trait says now, since it says so."""
    register = state.traits.get(relationships.TRAIT)
    said = state.relationships
    if type_ == "account" and register is not None:
        said = relationships.stated(register[:2], msgspec.json.decode(register[2]))
    return [Relationship(type=each.type, since=instant(each.since), source=each.source) for each in said.standing()]


def _support(state: State) -> Support | None:
    if not state.tickets:
        return None
    standing = (_open(name, ticket) for name, ticket in state.tickets.items())
    by_age = sorted(
        (ticket for ticket in standing if ticket is not None), key=lambda each: (each.opened_at, each.ticket_id)
    )
    return Support(
        tickets=len(state.tickets),
        open=by_age[:_OPEN_TICKETS],
        resolved=sum(ticket.resolved is not None for ticket in state.tickets.values()),
        first_response_seconds=_mean(ticket.first_response_seconds for ticket in state.tickets.values()),
        resolution_seconds=_mean(ticket.resolution_seconds for ticket in state.tickets.values()),
        first_contact_share=_mean(ticket.at_first_contact for ticket in state.tickets.values()),
    )


def _open(name: str, ticket: Ticket) -> OpenTicket | None:
    since, status, severity, category = ticket.since, ticket.status, ticket.severity, ticket.category
    if since is None or status is None:
        return None
    return OpenTicket(
        ticket_id=name,
        opened_at=instant(since),
        severity=int(severity[2]) if severity is not None else 3,
        category=category[2] if category is not None else None,
        reopened=status[2] == "reopened",
        escalated=ticket.escalated is not None,
    )


def _billing(state: State) -> Billing | None:
    if not state.billing and not state.contract and state.invoices == invoices.NONE:
        return None
    unpaid, cancels = contracts.unpaid_since(state.contract), contracts.cancels_at(state.contract)
    begins, ends = contracts.trial(state.billing, state.contract)
    started = contracts.started_at(state.contract)
    facts = {name: msgspec.json.decode(register[2]) for name, register in state.billing.items()}
    plan, seats, mrr, renews = (facts.get(name) for name in ("plan", "seats", "mrr", "auto_renew"))
    return Billing(
        plan=plan if isinstance(plan, str) else None,
        mrr=Money(mrr["amount"], mrr["currency"])
        if isinstance(mrr, dict) and mrr.keys() == {"amount", "currency"}
        else None,
        seats=seats if isinstance(seats, int) else None,
        renewal_at=dated(facts.get("renewal_at")),
        cancels_at=None if cancels is None else instant(cancels),
        payment_failed_since=None if unpaid is None else instant(unpaid),
        overdue={name: instant(us) for name, us in state.invoices.open().items()},
        plan_at=_stated(state, "plan"),
        seats_at=_stated(state, "seats"),
        trial_started_at=None if begins is None else instant(begins),
        trial_ends_at=None if ends is None else instant(ends),
        auto_renew=renews if isinstance(renews, bool) else None,
        started_at=None if started is None else instant(started),
    )


def _stated(state: State, fact: str) -> datetime | None:
    register = state.billing.get(fact)
    return None if register is None else instant(register[0])


def _feedback(told: Surveys) -> Feedback | None:
    if not told.answers:
        return None
    nps, csat, ces = (told.latest(survey) for survey in ("nps", "csat", "ces"))
    replies = [told.replied_at(answer) for answer in told.answers]
    return Feedback(
        nps=None if nps is None else nps.level * 10 // NANO,
        nps_at=None if nps is None else instant(nps.us),
        csat=None if csat is None else csat.score / NANO,
        csat_at=None if csat is None else instant(csat.us),
        ces=None if ces is None else ces.score / NANO,
        ces_at=None if ces is None else instant(ces.us),
        levels={each.survey: each.level / NANO for each in (nps, csat, ces) if each is not None},
        answers=len(told.answers),
        replied=sum(at is not None for at in replies),
        level_decayed=_fading(told),
    )


def _fading(feedback: Surveys) -> list[DecayedMean]:
    us = feedback.answers[-1].us
    return [
        DecayedMean(
            half_life_days=half_life,
            mean=told(quotient(levels, weight) / NANO),
            weight=told(standing(weight, half_life, us // 1_000_000)),
            at=instant(us),
        )
        for half_life, (weight, levels) in zip(LADDER, feedback.fading, strict=True)
        if weight[0]
    ]


def _learning(told: learning.Learning) -> Learning | None:
    if not told.courses and not told.steps:
        return None
    done = [us for us, _ in (*told.completed(), *told.steps.values())]
    return Learning(
        courses=len(told.courses),
        courses_completed=len(told.completed()),
        onboarding_steps=len(told.steps),
        latest_at=instant(max(done)) if done else None,
    )


def _contacts(state: State) -> Contacts | None:
    inbound, outbound = state.contacts.inbound, state.contacts.outbound
    if inbound is None and outbound is None:
        return None
    return Contacts(
        inbound_at=None if inbound is None else instant(inbound),
        outbound_at=None if outbound is None else instant(outbound),
    )


def _counts(state: State) -> dict[str, Counted]:
    found = {}
    for kind, sums in state.halvings.items():
        number, _, _, last = state.kinds[kind]
        second = last // 1_000_000
        values = [told(standing(each, half, second)) for half, each in zip(LADDER, sums, strict=True)]
        found[kind] = Counted(total=number, last_at=instant(last), decayed=values)
    return found


def _mean(numbers: Iterable[int | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return float(f"{sum(known) / len(known):.9g}") if known else None


def _decimal(nanos: int) -> str:
    text = format(Decimal(nanos).scaleb(-9), "f") if abs(nanos) >= NANO else format(Decimal(nanos) / NANO, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def up_to(as_of: datetime, last: int | None) -> bool:
    """Whether a state whose last touchpoint is at `last` (microseconds) holds at `as_of`."""
    return last is None or last <= micros(as_of)
