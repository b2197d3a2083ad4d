"""Relationship: whether both sides spoke of late, and whether the customer speaks for us."""

from collections.abc import Sequence
from math import fsum

from jornada.events import Contacts, Measures, Reason
from jornada.instants import micros
from services.scoring.domain.profiles import LADDER, RelationshipRule
from services.scoring.domain.shapes import DAY, halved, ramp, saturate, whole_days
from services.scoring.domain.words import reason

ADVOCACY = ("referral_made", "product_reviewed", "community_post_created", "community_answer_accepted")
"""Kinds by which a customer speaks for us."""


class RelationshipCourse:
    """The mean of both, as far as either is known."""

    def __init__(
        self, contacts: Contacts | None, advocacy: Sequence[tuple[float, int]], rule: RelationshipRule
    ) -> None:
        self._rule = rule
        self._advocacy = advocacy
        self._talked = contacts is not None
        spoken = [micros(at) for at in (contacts.inbound_at, contacts.outbound_at) if at] if contacts else []
        self._both = min(spoken) if len(spoken) == 2 else None
        self._latest = max(spoken, default=None)

    def value(self, at: int) -> float:
        values = []
        if self._talked:
            values.append(self._contact(at))
        if self._advocacy:
            values.append(self._speaks(at))
        return fsum(values) / len(values)

    def turns(self) -> Sequence[int]:
        return ()

    def because(self, at: int) -> Reason:
        if not self._talked or (self._advocacy and self._contact(at) > self._speaks(at)):
            return reason("spoke_for_us", days=whole_days(max(since for _, since in self._advocacy), at))
        if self._both is None:
            return reason("one_way_contact", days=whole_days(self._latest or at, at))
        return reason("two_way_contact", days=whole_days(self._both, at))

    def _contact(self, at: int) -> float:
        if self._both is None:
            return 0.5 * self._fresh(self._latest, at)
        return self._fresh(self._both, at)

    def _fresh(self, since: int | None, at: int) -> float:
        if since is None:
            return 0.0
        return 1.0 - ramp((at - since) / DAY, self._rule.calm_days, self._rule.gone_days)

    def _speaks(self, at: int) -> float:
        rule = self._rule
        count = fsum(halved(value, since, rule.half_life_days, at) for value, since in self._advocacy)
        return rule.neutral + (1.0 - rule.neutral) * saturate(count, rule.enough)


def advocacy(measures: Measures, half_life_days: int) -> list[tuple[float, int]]:
    """How often each kind was seen by which a customer speaks for us: (count that halves, since when it stands so)."""
    place = LADDER.index(half_life_days)
    counts = (measures.counts[kind] for kind in ADVOCACY if kind in measures.counts)
    return [(each.decayed[place], micros(each.last_at)) for each in counts]


def relationship_course(measures: Measures, rule: RelationshipRule) -> RelationshipCourse | None:
    """The course of contacts and advocacy; None where neither was ever seen."""
    speaks = advocacy(measures, rule.half_life_days)
    if measures.contacts is None and not speaks:
        return None
    return RelationshipCourse(measures.contacts, speaks, rule)
