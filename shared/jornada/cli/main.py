"""The command line's entry: its commands, and one line for what goes wrong."""

import asyncio
import contextlib
import json
import sys
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape

from jornada.access.store import Refused
from jornada.cli.access import keys, sources, tokens, workspaces
from jornada.cli.dead import Token, dead
from jornada.cli.place import api_token, database_url, service_urls
from jornada.db import Conflict, Unavailable

_EXPECTED = (
    Refused,
    Unavailable,
    Conflict,
    OSError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
_UNMIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Runs Jornada.")
app.add_typer(workspaces, name="workspaces")
app.add_typer(sources, name="sources")
app.add_typer(keys, name="keys")
app.add_typer(tokens, name="tokens")
app.add_typer(dead, name="dead")


def main() -> None:
    """What `jornada` runs: a failure is one line on stderr and exit code 1."""
    try:
        app()
    except _EXPECTED as error:
        typer.echo(f"jornada: {_line(error)}", err=True)
        sys.exit(1)


@app.command()
def migrate() -> None:
    """Brings every schema up to date; safe to run many times, and from many places at once."""
    from jornada.db import migrations  # noqa: PLC0415 (it takes half of the start, and other commands need none)

    migrations.migrate(database_url("JORNADA_MIGRATE_DATABASE_URL"))
    typer.echo(f"up to date: {', '.join(chain.schema for chain in migrations.chains())}")


@app.command()
def doctor() -> None:
    """Looks at database, migrations, brokers and services; names what fails, and then exits with 1."""
    if not asyncio.run(_doctor(Console(soft_wrap=True, highlight=False))):
        raise typer.Exit(1)


@app.command()
def tail(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source's.")] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only what is refused.")] = False,
    token: Token = None,
    replica: Annotated[
        list[str] | None,
        typer.Option(help="An ingest's address; may be repeated, as each shows what it took itself."),
    ] = None,
) -> None:
    """Follows what ingest accepts and refuses, and why, until Ctrl-C."""
    from jornada.cli.tail import Wanted, follow, teller  # noqa: PLC0415 (as for migrate)

    replicas = replica or [service_urls()["ingest"]]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(follow(replicas, api_token(token), Wanted(source, rejected), teller()))


@app.command()
def replay(
    cancel: Annotated[bool, typer.Option("--cancel", help="Ends the one that runs.")] = False, token: Token = None
) -> None:
    """Tells a workspace's journeys again from its stored touchpoints, and follows; Ctrl-C only stops following.

    Follows the one that runs already. Needs the scope `admin`. Exits with 1 where it fails.
    """
    from jornada.cli.replaying import cancelled, followed  # noqa: PLC0415 (as for migrate)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run((cancelled if cancel else followed)(api_token(token)))


@app.command()
def erase(
    ref: Annotated[str, typer.Argument(help="The customer: an id, or type:value as in user_id:42.")],
    block: Annotated[bool, typer.Option("--block", help="Nobody of these names begins anew.")] = False,
    token: Token = None,
) -> None:
    """Erases a customer for good, and prints the receipt as JSON. Needs the scope `admin`."""
    from jornada.cli.customers import erase as erased  # noqa: PLC0415 (as for migrate)

    receipt = asyncio.run(erased(ref, api_token(token), block=block))
    typer.echo(json.dumps(receipt, indent=2))


@app.command()
def export(
    ref: Annotated[str, typer.Argument(help="The customer: an id, or type:value as in user_id:42.")],
    token: Token = None,
) -> None:
    """Prints all that is held of a customer, one JSON document a line. Needs the scope `read`."""
    asyncio.run(_export(ref, api_token(token)))


async def _export(ref: str, token: str) -> None:
    from jornada.cli.customers import exported  # noqa: PLC0415 (as for migrate)

    async for line in exported(ref, token):
        typer.echo(line)


async def _doctor(console: Console) -> bool:
    from jornada.cli.doctor import examine  # noqa: PLC0415 (as for migrate)

    healthy = True
    async for finding in examine():
        healthy = healthy and not finding.fault
        mark = "[red]FAILS[/red]" if finding.fault else "[green]ok[/green]   "
        console.print(f"{mark} {finding.part:<11}", escape(finding.where), escape(finding.fault))
    return healthy


def _line(error: BaseException) -> str:
    """The error as one line, with what to do where that is known."""
    if isinstance(error, _UNMIGRATED):
        return f"{error}: the database is not up to date; run `jornada migrate`"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    main()
