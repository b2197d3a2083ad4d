"""What notify knows of a customer: as much of the newest snapshots as decisions need."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from jornada.events import Identifier, JourneySnapshot, SubjectId


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A subject as its newest journey snapshot tells it. `consents` maps `channel/purpose` to a status."""

    id: SubjectId
    identifiers: list[Identifier]
    stage: str
    traits: dict[str, Any] = {}
    consents: dict[str, str] = {}
    account_id: SubjectId | None = None


class Settled(NamedTuple):
    """What is known of the journey and the scores, to tell whether they are those that the crossing was made from."""

    journey_version: int | None
    score_journey_version: int | None
    band: str | None


def customer_of(snapshot: JourneySnapshot) -> Customer:
    """What is kept of a snapshot."""
    return Customer(
        id=snapshot.subject_id,
        identifiers=snapshot.identifiers,
        stage=snapshot.stage.name,
        traits=snapshot.traits,
        consents=snapshot.measures.consents,
        account_id=snapshot.account_id,
    )


def address_of(customer: Customer) -> str | None:
    """The e-mail address to write to: the trait, else the first identifier of that type."""
    trait = text(customer.traits, "email")
    if trait is not None:
        return trait
    return next((each.value for each in customer.identifiers if each.type == "email"), None)


def sender_of(customer: Customer) -> Identifier | None:
    """The identifier under which our own touchpoints of this customer go: the user id, else the anonymous id."""
    for type_ in ("user_id", "anonymous_id"):
        for each in customer.identifiers:
            if each.type == type_:
                return each
    return None


def text(traits: Mapping[str, Any], name: str) -> str | None:
    """A trait that is a text and not empty."""
    value = traits.get(name)
    return value.strip() or None if isinstance(value, str) else None


def language_of(customer: Customer, offered: Mapping[str, object], otherwise: str) -> str:
    """The offered language that `locale` asks for: the same tag, else one of the same language, else `otherwise`."""
    locale = (text(customer.traits, "locale") or "").replace("_", "-").casefold()
    by_tag = {tag.casefold(): tag for tag in offered}
    if locale in by_tag:
        return by_tag[locale]
    language = locale.partition("-")[0]
    same = [tag for folded, tag in sorted(by_tag.items()) if folded.partition("-")[0] == language]
    return same[0] if language and same else otherwise


def worth_deciding(known: Settled, to: str, waited_seconds: float) -> bool:
    """Whether to decide now, or to give the snapshots a moment: topics are read independently of each other.

    Settled is a journey at least as new as the one that the scores in the crossing's band were made from. Without that,
    a known journey waits 2 s and an unknown one 60 s.
    """
    if known.journey_version is None:
        return waited_seconds >= 60
    settled = known.band == to and (known.score_journey_version or 0) <= known.journey_version
    return settled or waited_seconds >= 2


def is_due(at: datetime | None, now: datetime) -> bool:
    """Whether an instant has come."""
    return at is not None and at <= now
