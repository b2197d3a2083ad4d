"""In which ways a customer is served, as their trait says, whoever contacted them, and what they do themselves."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from services.journey.domain.parts.joining import merged
from services.journey.domain.reading import Key, Reading

TYPES = ("personal_assistance", "dedicated", "self_service", "automated", "community", "co_creation")
TRAIT = "relationship_types"
BY_TRAIT = "trait"
"""How the trait is called among what says so."""

ACTS: Mapping[str, str] = {
    "community_post_created": "community",
    "community_answer_accepted": "community",
    "idea_submitted": "co_creation",
    "beta_joined": "co_creation",
    "product_reviewed": "co_creation",
}
"""Kinds that say a type by themselves."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """When a type was said, first and last."""

    first: Key
    last: Key


class Standing(NamedTuple):
    """A type that stands: since when (microseconds) and by what."""

    type: str
    since: int
    source: str


class Relationships(msgspec.Struct, frozen=True, array_like=True):
    """By type what said it, the trait or a kind, and the latest statement of the trait that leaves the type out."""

    said: Mapping[str, Mapping[str, Said]] = {}
    left_out: Mapping[str, Key] = {}

    def standing(self) -> list[Standing]:
        """The types that stand, each since what still says it said so first.

        The trait withdraws what it once said and says no longer, and all that others said of it until then.
        """
        found = []
        for type_, said in sorted(self.said.items()):
            left = self.left_out.get(type_)
            withdrawn = left if left is not None and BY_TRAIT in said and left > said[BY_TRAIT].first else None
            holding = [
                (each.first[0], source) for source, each in said.items() if withdrawn is None or each.last >= withdrawn
            ]
            if holding:
                found.append(Standing(type_, *min(holding)))
        return found


NONE = Relationships()


def join(a: Relationships, b: Relationships) -> Relationships:
    """What both say."""
    if a is NONE or b is NONE:
        return b if a is NONE else a
    return Relationships(merged(a.said, b.said, _sources), merged(a.left_out, b.left_out, max))


def single(reading: Reading) -> Relationships:
    """What one touchpoint says."""
    kind, key = reading.kind, reading.key
    said = reading.properties.get("relationship_type") if kind == "contact_logged" else ACTS.get(kind)
    by_kind = Relationships({said: {kind: Said(key, key)}}) if said in TYPES else NONE
    return join(stated(key, reading.traits[TRAIT]), by_kind) if TRAIT in reading.traits else by_kind


def stated(key: Key, value: Any) -> Relationships:
    """What the trait says with a value: a type, or a list of some; whatever else it is names none."""
    named = value if isinstance(value, list) else [value]
    said = {type_: {BY_TRAIT: Said(key, key)} for type_ in TYPES if type_ in named}
    return Relationships(said, {type_: key for type_ in TYPES if type_ not in named})


def _sources(a: Mapping[str, Said], b: Mapping[str, Said]) -> Mapping[str, Said]:
    return merged(a, b, _both)


def _both(a: Said, b: Said) -> Said:
    return Said(min(a.first, b.first), max(a.last, b.last))
