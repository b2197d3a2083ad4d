"""Sessions: one customer's touchpoints with no gap over 30 minutes, kept as a join of intervals."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from jornada.events import derived_id
from services.journey.domain.reading import Reading

GAP = 30 * 60 * 1_000_000
"""The longest pause within a session, in microseconds; exactly that long still continues it."""


class Session(NamedTuple):
    """One session: microseconds of its first and last touchpoint, the first one's id and source, their number."""

    started: int
    message_id: str
    source: str
    ended: int
    touchpoints: int

    @property
    def id(self) -> UUID:
        """The session's id, which derives from its first touchpoint."""
        return derived_id("session", self.source, self.message_id)


def coalesced(sessions: Iterable[Session]) -> list[Session]:
    """The sessions of all the touchpoints together, whatever parts they were told in."""
    whole: list[Session] = []
    for session in sorted(sessions):
        if whole and session.started - whole[-1].ended <= GAP:
            before = whole[-1]
            whole[-1] = before._replace(
                ended=max(before.ended, session.ended), touchpoints=before.touchpoints + session.touchpoints
            )
        else:
            whole.append(session)
    return whole


def singles(readings: Iterable[Reading]) -> list[Session]:
    """A session for each touchpoint that counts, to be coalesced."""
    return [
        Session(reading.key[0], reading.key[1], reading.touchpoint.source, reading.key[0], 1)
        for reading in readings
        if not reading.ours
    ]
