"""Commands over dead letters: what a service could not process, and its replay once the cause is gone."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar
from uuid import UUID

import typer

from jornada.access.store import Refused
from jornada.cli.listing import show
from jornada.cli.place import api_token
from jornada.db import Unavailable

if TYPE_CHECKING:
    from jornada.cli.sister import Sister

Worker = Literal["ingest", "journey", "scoring", "notify"]
WORKERS: tuple[Worker, ...] = ("ingest", "journey", "scoring", "notify")
Token = Annotated[str | None, typer.Option(envvar="JORNADA_API_TOKEN", help="An API token; the local one by default.")]
Service = Annotated[Worker | None, typer.Option("--service", help="Only this service's.")]
T = TypeVar("T")

_COLUMNS = ("id", "topic", "partition", "offset", "reason", "since", "replayed_at")

dead = typer.Typer(no_args_is_help=True, help="Dead letters: records that a service could not process.")


@dead.command("list")
def list_letters(
    service: Service = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="The replayed ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="The most of each service.")] = 100,
    token: Token = None,
) -> None:
    """Lists dead letters, the oldest first, and says which service has stopped. Needs the scope `read`."""
    from jornada.cli.letters import listed  # noqa: PLC0415 (HTTP takes half of the start, and other commands need none)

    told, away = _asked(service, token, lambda sister: listed(sister, limit, waiting=not replayed))
    rows = [(name, *(letter[column] for column in _COLUMNS)) for name, found in told for letter in found]
    show(["service", *_COLUMNS], rows)
    _fail_for(away)


@dead.command("show")
def show_letter(
    id: Annotated[UUID, typer.Argument(help="Its id.")], service: Service = None, token: Token = None
) -> None:
    """Prints a dead letter as JSON; what it holds only to a token of the scope `payloads`."""
    from jornada.cli.letters import shown  # noqa: PLC0415 (as for list)

    told, away = _asked(service, token, lambda sister: shown(sister, id))
    for name, document in told:
        if document is not None:
            typer.echo(json.dumps({"service": name, **document}, indent=2, ensure_ascii=True))
    _fail_for(away)
    _refuse_unknown(id, found=any(document is not None for _, document in told))


@dead.command("replay")
def replay(
    id: Annotated[UUID | None, typer.Argument(help="The id of one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were never replayed, the oldest first.")] = False,
    service: Service = None,
    token: Token = None,
) -> None:
    """Processes one again, or all. Twice equals once; after a cut it goes on. Needs the scope `admin`.

    Exits with 1 where one fails again.
    """
    if (id is None) is not every:
        raise Refused("not_said", "say which: an id, or --all")
    if id is None:
        _replay_all(service, token)
    else:
        _replay_one(id, service, token)


def _replay_all(service: Worker | None, token: str | None) -> None:
    from jornada.cli.letters import replayed_all  # noqa: PLC0415 (as for list)

    told, away = _asked(service, token, replayed_all)
    show(["service", "replayed", "failed again", "waiting"], [(name, *counts) for name, counts in told])
    _fail_for(away)
    if any(counts.failed for _, counts in told):
        raise typer.Exit(1)


def _replay_one(id_: UUID, service: Worker | None, token: str | None) -> None:
    from jornada.cli.letters import replayed  # noqa: PLC0415 (as for list)

    told, away = _asked(service, token, lambda sister: replayed(sister, id_))
    names = [name for name, found in told if found]
    if names:
        typer.echo(f"{id_} is replayed by {', '.join(names)}")
    _fail_for(away)
    _refuse_unknown(id_, found=bool(names))


def _asked(
    service: Worker | None, token: str | None, act: "Callable[[Sister], Awaitable[T]]"
) -> tuple[list[tuple[str, T]], list[str]]:
    from jornada.cli.letters import each_of  # noqa: PLC0415 (as for list)

    return asyncio.run(each_of(WORKERS if service is None else (service,), api_token(token), act))


def _fail_for(away: list[str]) -> None:
    if away:
        raise Unavailable("; ".join(away))


def _refuse_unknown(id_: UUID, *, found: bool) -> None:
    if not found:
        raise Refused("not_found", f"no service has a dead letter {id_} of the token's workspace")
