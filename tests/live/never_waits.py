"""A scoring service whose timers do not wait for the log: what must catch those crossing who were put off in time."""

from datetime import datetime

from jornada.runtime.main import main
from services.scoring.app import build
from services.scoring.settings import Settings
from services.scoring.sisters import Following


async def _at_once(following: Following) -> datetime:
    return following._clock.now()


Following.scored_until = _at_once  # type: ignore[assignment, method-assign]
main("scoring", Settings, build)
