"""Asks the services for their dead letters and for their replay, over HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import typer

from jornada.access.store import Refused
from jornada.cli.sister import Sister, reached
from jornada.db import Unavailable

_ROUND = 200

T = TypeVar("T")


class Counts(NamedTuple):
    """What came of replaying all: `waiting` includes those that failed again."""

    replayed: int
    failed: int
    waiting: int


async def each_of(
    names: Sequence[str], token: str, act: Callable[[Sister], Awaitable[T]]
) -> tuple[list[tuple[str, T]], list[str]]:
    """What came of it at each service in turn, and what is said of those that cannot be reached.

    A service that has stopped says so on stderr. Raises Refused.
    """
    told: list[tuple[str, T]] = []
    away: list[str] = []
    for name in names:
        async with reached(name, token) as sister:
            try:
                for why in await sister.wrong():
                    typer.echo(f"jornada: {name} is not ready: {why}", err=True)
                told.append((name, await act(sister)))
            except Unavailable as error:
                away.append(str(error))
    return told, away


async def listed(sister: Sister, limit: int, *, waiting: bool) -> list[dict[str, Any]]:
    """Its first `limit`; says on stderr that there are more."""
    page = await sister.ask("GET", "/v1/dead-letters", limit=limit, waiting=waiting)
    if page["next"] is not None:
        typer.echo(f"jornada: {sister.name} has more than these {limit}", err=True)
    items: list[dict[str, Any]] = page["items"]
    return items


async def shown(sister: Sister, id_: UUID) -> dict[str, Any] | None:
    """One of its, None where it has none of that id."""
    try:
        document: dict[str, Any] = await sister.ask("GET", f"/v1/dead-letters/{id_}")
    except Refused as error:
        if error.code != "not_found":
            raise
        return None
    return document


async def replayed(sister: Sister, id_: UUID) -> bool:
    """Replays one of its; False where it has none of that id. Raises Refused where it fails again."""
    try:
        await sister.ask("POST", f"/v1/dead-letters/{id_}/replay")
    except Refused as error:
        if error.code != "not_found":
            raise
        return False
    return True


async def replayed_all(sister: Sister) -> Counts:
    """Replays all of its, round by round; tells on stderr how far it is and what fails again."""
    done = failed = 0
    cursor: str | None = None
    while True:
        told = await sister.ask("POST", "/v1/dead-letters/replay", limit=_ROUND, cursor=cursor)
        done, failed, cursor = done + told["replayed"], failed + len(told["failed"]), told["next"]
        for each in told["failed"]:
            typer.echo(f"jornada: {sister.name}: {each['id']} failed again: {each['error']}", err=True)
        if cursor is None:
            return Counts(done, failed, told["waiting"])
        typer.echo(f"jornada: {sister.name}: {done} replayed, {told['waiting']} waiting", err=True)
