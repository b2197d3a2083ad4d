"""Dead letters folded again, many in one go: by rounds, which whoever asks goes on with until there are no more."""

import asyncio
from typing import NamedTuple
from uuid import UUID

from jornada.bus.carrier import BusUnavailable
from jornada.bus.dead_letters import DeadLetters, Line, Place
from jornada.bus.worker import Outdated, Worker
from jornada.db import Conflict, Unavailable
from jornada.events import WorkspaceId

ROUND_SECONDS = 15.0


class Round(NamedTuple):
    """What a round came to: how many were replayed, which failed again (id and kind of error), how many wait still,
    those that failed included, and where the next round begins: None when this one came to the end."""

    replayed: int
    failed: list[tuple[UUID, str]]
    waiting: int
    next: Place | None


async def replay_round(
    worker: Worker, letters: DeadLetters, workspace: WorkspaceId, most: int, after: Place | None
) -> Round:
    """Replays up to `most` letters that wait, the oldest first, after a place, for no longer than 15 s.

    Each is a transaction of its own and is marked with it: a round that was cut off is gone on with by another.
    A passing fault ends the round; where nothing was done by then it is raised (BusUnavailable, Unavailable, Conflict).
    Raises Outdated.
    """
    until = asyncio.get_running_loop().time() + ROUND_SECONDS
    lines = await letters.page(workspace, most + 1, after, waiting=True)
    failed: list[tuple[UUID, str]] = []
    done = 0
    for line in lines[:most]:
        try:
            why = await _replayed(worker, letters, workspace, line)
        except (Unavailable, BusUnavailable, Conflict):
            if not done:
                raise
            break
        failed += [(line.id, why)] if why else []
        done += 1
        if asyncio.get_running_loop().time() > until:
            break
    next_ = lines[done - 1].place if done < len(lines) else None
    return Round(done - len(failed), failed, await letters.waiting(workspace), next_)


async def _replayed(worker: Worker, letters: DeadLetters, workspace: WorkspaceId, line: Line) -> str:
    """Replays one; returns the kind of error with which it failed again, or nothing."""
    letter = await letters.one(workspace, line.id)
    if letter is None:
        return ""
    try:
        await worker.replay(letter)
    except (Unavailable, BusUnavailable, Conflict, Outdated):
        raise
    except Exception as error:
        return type(error).__name__
    return ""
