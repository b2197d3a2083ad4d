"""The band that comes next where another profile will hold by then."""

from collections.abc import Sequence

from jornada.events import Band, Crosses, JourneySnapshot
from jornada.instants import instant
from services.scoring.domain import crossing
from services.scoring.domain.choosing import Choice
from services.scoring.domain.course import Course
from services.scoring.domain.crossing import HORIZON_DAYS
from services.scoring.domain.freezing import NOTHING, Freezing
from services.scoring.domain.health import bandless
from services.scoring.domain.shapes import DAY


def crosses_over(
    journey: JourneySnapshot,
    choices: Sequence[Choice],
    connected: frozenset[str],
    band: Band,
    freezing: Freezing = NOTHING,
) -> Crosses | None:
    """The band that comes next after `band`, which holds where the first choice begins, and its first microsecond."""
    end = choices[0].since + HORIZON_DAYS * DAY
    ends = [*(each.since - 1 for each in choices[1:]), end]
    for (since, profile), last in zip(choices, ends, strict=True):
        course = Course(journey, profile, connected, freezing)
        bands = profile.bands
        here: Band = "unknown" if bandless(journey, course, profile) else bands.band(crossing.at(course, since))
        if here != band:
            return Crosses(here, instant(since))
        left = crossing.leaves(course, bands.corridor(band), since, last)
        if left is not None:
            return Crosses(bands.band(crossing.at(course, left)), instant(left))
    return None
