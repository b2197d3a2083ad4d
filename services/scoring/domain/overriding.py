"""A person's word on a subject's health, for a while: it is what is shown, and what was computed is kept beside it."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from jornada.events import Band, Computed, Health, Overridden
from services.scoring.domain.bands import Bands


class Override(NamedTuple):
    """Who says what, why, and from when until when: a `score` (0–100), whose band it then is, or a `band` alone."""

    score: float | None
    band: Band | None
    author: str
    reason: str
    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at an instant; at `until` it is over."""
        return self.since <= at < self.until


def shown(computed: Health, override: Override | None, bands: Bands, at: datetime) -> Health:
    """Health as it is shown at an instant: under an override with its band and score, all else as computed."""
    if override is None or not override.holds(at):
        return computed
    score = computed.score if override.score is None else override.score
    band = override.band if override.score is None else bands.band(override.score)
    return msgspec.structs.replace(
        computed,
        score=score,
        band=band or computed.band,
        computed=Computed(band=computed.band, score=computed.score),
        override=Overridden(author=override.author, reason=override.reason, since=override.since, until=override.until),
    )
