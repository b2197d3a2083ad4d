"""Stages that change by silence: the timer's side of the journey."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from jornada.bus import timers
from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from services.journey.worker.refolding import refold


async def fire(connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
    """Tells each subject's journey as of the very instant at which its stage changes, and sets its next timer."""
    instants: dict[WorkspaceId, dict[SubjectId, datetime]] = defaultdict(dict)
    for timer in due:
        instants[timer.workspace][timer.subject] = timer.due_at
    changed: dict[Subject, int] = {}
    for workspace in sorted(instants):
        changed |= await refold(connection, workspace, instants[workspace], instants[workspace])
    gone = [timer for timer in due if Subject(timer.workspace, timer.subject) not in changed]
    if gone:
        await timers.drop(connection, [(timer.workspace, timer.subject, timer.name) for timer in gone])
    return changed
