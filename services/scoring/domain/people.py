"""How the people of an account stand: what each of them counts for, added up, beside the account's own journey."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from jornada.events import Band, JourneySnapshot


class Member(NamedTuple):
    """What one person counts for in their account: a band, and of a champion whether they are, and fell silent.

    `silent_since` is the hour of a silent champion's last act of use.
    """

    band: Band
    champion: bool = False
    silent_since: datetime | None = None


Counts = Mapping[Member, int]
"""How many people of an account count for what."""


def added(counts: Counts, changes: Iterable[tuple[Member, int]]) -> Counts:
    """The counts with so many more of each, or fewer; what is nobody any more is left out."""
    sums = Counter(dict(counts))
    for member, number in changes:
        sums[member] += number
    return {member: number for member, number in sums.items() if number}


class People(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many people of an account stand in each band, how many are champions, and how many of those are silent.

    `silent_since` is the longest silent champion's, `at` when anything of this changed last, and `live_at` when
    something did that is no history.
    """

    green: int = 0
    yellow: int = 0
    red: int = 0
    unknown: int = 0
    champions: int = 0
    silent: int = 0
    silent_since: datetime | None = None
    at: datetime | None = None
    live_at: datetime | None = None

    @property
    def banded(self) -> int:
        """How many have a band."""
        return self.green + self.yellow + self.red


def people(counts: Counts, at: datetime | None = None, live_at: datetime | None = None) -> People:
    """The people that the counts tell of."""
    bands: Counter[str] = Counter()
    for member, number in counts.items():
        bands[member.band] += number
    silent = {member.silent_since: number for member, number in counts.items() if member.silent_since is not None}
    return People(
        **bands,
        champions=sum(number for member, number in counts.items() if member.champion),
        silent=sum(silent.values()),
        silent_since=min(silent, default=None),
        at=at,
        live_at=live_at,
    )


class Peopled(JourneySnapshot, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot"):
    """A journey, and of an account how its people stand. This is what is scored, and kept beside the scores."""

    people: People | None = None


def peopled(journey: JourneySnapshot, people: People) -> Peopled:
    """An account's journey with its people as they stand now, whatever was known of them."""
    told = {name: getattr(journey, name) for name in JourneySnapshot.__struct_fields__}
    return Peopled(**told, people=people)


def people_of(journey: JourneySnapshot) -> People | None:
    """How an account's people stand; None of a customer, and where nobody was ever counted."""
    return journey.people if isinstance(journey, Peopled) else None
