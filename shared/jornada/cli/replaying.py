"""Begins, follows and ends replays, over HTTP at journey."""

import asyncio
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from jornada.access.store import Refused
from jornada.cli.letters import each_of
from jornada.cli.listing import show
from jornada.cli.sister import Sister
from jornada.db import Unavailable

_COLUMNS = ("status", "touchpoints", "compared", "equal", "mended", "changed", "failed")
_EVERY_SECONDS = 0.5


async def followed(token: str) -> None:
    """Begins a replay, or finds the one that runs, and shows how far it is to its end. Raises Unavailable, Refused."""
    found = await _asked(token, _followed)
    _show(found)
    if found["status"] == "failed":
        raise Refused("failed", f"the replay failed: {found['error']}; journey's log says more")
    if found["failed"]:
        left = "; ".join(f"{each['step']} {', '.join(each['at'])}" for each in found["failed"])
        raise Refused("failed", f"what took too long was left as it was: {left}")


async def cancelled(token: str) -> None:
    """Ends the one that runs. Raises Unavailable, Refused."""
    _show(await _asked(token, _cancelled))


def _show(found: dict[str, Any]) -> None:
    show(_COLUMNS, [[found[column] for column in _COLUMNS[:-1]] + [len(found["failed"])]])


async def _asked(token: str, act: Any) -> dict[str, Any]:
    told, away = await each_of(["journey"], token, act)
    if away:
        raise Unavailable("; ".join(away))
    found: dict[str, Any] = told[0][1]
    return found


async def _followed(sister: Sister) -> dict[str, Any]:
    replay = await _running(sister) or await sister.ask("POST", "/v1/replays")
    columns = (TextColumn("{task.description:<11}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(replay["step"], total=None)
        while replay["status"] == "running":
            _advance(progress, bar, replay)
            await asyncio.sleep(_EVERY_SECONDS)
            replay = await sister.ask("GET", f"/v1/replays/{replay['id']}")
    return replay


def _advance(progress: Progress, bar: Any, replay: dict[str, Any]) -> None:
    """Shows subjects out of about how many there are; what is read before has no known end."""
    comparing = replay["compared"] > 0
    total = max(replay["subjects"], 1) if comparing else None
    progress.update(bar, description=replay["step"], total=total, completed=replay["compared"])


async def _cancelled(sister: Sister) -> dict[str, Any]:
    replay = await _running(sister)
    if replay is None:
        raise Refused("not_found", "no replay runs")
    found: dict[str, Any] = await sister.ask("POST", f"/v1/replays/{replay['id']}/cancel")
    return found


async def _running(sister: Sister) -> dict[str, Any] | None:
    newest = (await sister.ask("GET", "/v1/replays", limit=1))["items"]
    return newest[0] if newest and newest[0]["status"] == "running" else None
