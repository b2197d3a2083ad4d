"""Work that is done again and again in the background."""

import asyncio
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger

from jornada.bus.carrier import BusUnavailable
from jornada.db import Conflict, Unavailable


async def every(seconds: float, work: Callable[[], Awaitable[object]], log: FilteringBoundLogger, waiting: str) -> None:
    """Does the work, rests for so many seconds, and so on for ever.

    Where the stream or Postgres is away, or somebody else was first, it logs `waiting` and tries at the next round.
    """
    while True:
        try:
            await work()
        except (BusUnavailable, Unavailable, Conflict) as error:
            log.warning(waiting, error=str(error))
        await asyncio.sleep(seconds)
