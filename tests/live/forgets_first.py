"""A scoring service that takes timers away before what they say is kept: what the count of crossings must catch."""

import asyncio
from collections.abc import Sequence

from jornada.bus import timers
from jornada.bus.publisher import Subject
from jornada.bus.timers import Ticker, Timer
from jornada.runtime.main import main
from services.scoring.app import build
from services.scoring.settings import Settings


async def _forgotten_first(ticker: Ticker, ready: Sequence[Timer]) -> int:
    workspaces = {timer.workspace for timer in ready}
    async with ticker._database.transaction(workspaces) as connection:
        held = await ticker._hold(connection, {Subject(timer.workspace, timer.subject) for timer in ready})
        mine = [timer for timer in ready if Subject(timer.workspace, timer.subject) in held]
        await timers.drop(connection, [timer[:3] for timer in mine])
    await asyncio.sleep(1)
    async with ticker._database.transaction(workspaces) as connection:
        changed = await ticker._fire(connection, mine)
        await ticker._publisher.mark(connection, changed)
    await ticker._publisher.publish(list(changed))
    await ticker._publisher.drain(workspaces)
    return len(mine)


Ticker._fired = _forgotten_first  # type: ignore[assignment, method-assign]
main("scoring", Settings, build)
